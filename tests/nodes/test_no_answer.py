"""That nothing was found is said in the language of the question."""

import pytest

from llm_compiler.nodes.no_answer import no_answer


@pytest.mark.parametrize(
    ("question", "begins"),
    [
        ("How many people live in Egypt?", "I found no answer"),
        ("egypt population", "I found no answer"),
        ("Who wrote Die Leiden des jungen Werther?", "I found no answer"),
        ("What is the area of La Paz?", "I found no answer"),
        ("", "I found no answer"),
        ("Wie viele Menschen leben in Ägypten?", "Ich habe"),
        ("Wer hat den Faust geschrieben?", "Ich habe"),
        ("Combien de personnes vivent en Égypte ?", "Je n'ai pas"),
        ("Quelle est la hauteur de la tour de Pise ?", "Je n'ai pas"),
        ("¿Cuántos habitantes tiene Egipto?", "No he"),
        ("Quanti abitanti ha l'Egitto?", "Non ho"),
        ("Quantas pessoas moram no Egito?", "Não"),
        ("Hoeveel mensen wonen er in Egypte?", "Ik heb"),
        ("Hur många bor i Egypten?", "Jag"),
        ("Ile osób mieszka w Egipcie?", "Nie udało"),
        ("Mısır'da kaç kişi yaşıyor?", "Yanıt"),
        ("Сколько людей живёт в Египте?", "Ответ"),
        ("エジプトの人口は?", "答え"),
        ("埃及有多少人口？", "没有找到"),
        ("이집트의 인구는?", "답을"),
    ],
)
def test_it_is_said_in_the_language_of_the_question(question: str, begins: str) -> None:
    reply = no_answer(question, ["search failed: nothing", "and 1 more"])
    assert reply.startswith(begins)
    assert "search failed: nothing; and 1 more" in reply
