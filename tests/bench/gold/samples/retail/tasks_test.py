from tau_bench.types import Action, Task

TASKS_TEST = [
    Task(
        annotator="0",
        user_id="ada_moon_1",
        instruction="You want " + "your money back.",
        actions=[
            Action(name="get_order", kwargs={"order_id": "#W1"}),
            Action(name="return_items", kwargs={"order_id": "#W1", "item_ids": ["7", "8"]}),
        ],
        outputs=[],
    ),
    Task(annotator="1", user_id="ada_moon_1", instruction="Say no.", actions=[], outputs=[]),
]
