class Tool:
    @staticmethod
    def get_info():
        return {
            "type": "function",
            "function": {
                "name": "return_items",
                "description": "A tool: " + "return_items.",
                "parameters": {
                    "type": "object",
                    "properties": {
                        "order_id": {"type": "string"},
                        "item_ids": {"type": "array", "items": {"type": "string"}},
                    },
                    "required": ["order_id", "item_ids"],
                },
            },
        }
