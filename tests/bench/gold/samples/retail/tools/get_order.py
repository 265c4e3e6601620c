class Tool:
    @staticmethod
    def get_info():
        return {
            "type": "function",
            "function": {
                "name": "get_order",
                "description": "A tool: " + "get_order.",
                "parameters": {
                    "type": "object",
                    "properties": {"order_id": {"type": "string"}},
                    "required": ["order_id"],
                },
            },
        }
