"""That nothing was found, in the language of the question: a reply that needs no model."""

from collections.abc import Sequence
from typing import Final

from llm_compiler.nodes.language_of import ENGLISH, language_of

_SAID: Final = {
    ENGLISH: "I found no answer: {}.",
    "German": "Ich habe keine Antwort gefunden: {}.",
    "French": "Je n'ai pas trouvé de réponse : {}.",
    "Spanish": "No he encontrado respuesta: {}.",
    "Italian": "Non ho trovato una risposta: {}.",
    "Portuguese": "Não encontrei resposta: {}.",
    "Dutch": "Ik heb geen antwoord gevonden: {}.",
    "Swedish": "Jag hittade inget svar: {}.",
    "Polish": "Nie udało się znaleźć odpowiedzi: {}.",
    "Turkish": "Yanıt bulunamadı: {}.",
    "Japanese": "答えは見つかりませんでした: {}",
    "Korean": "답을 찾지 못했습니다: {}",
    "Chinese": "没有找到答案：{}",
    "Russian": "Ответ не найден: {}.",
}


def no_answer(question: str, reasons: Sequence[str]) -> str:
    """A reply that says that no answer was found, and why."""
    return _SAID[language_of(question)].format("; ".join(reasons))
