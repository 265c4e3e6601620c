"""That nothing was found, in the language of the question: a reply that needs no model."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

_ENGLISH: Final = "I found no answer, because nothing that was tried succeeded: {}."
_BY_WORDS: Final = {
    "Ich habe keine Antwort gefunden, weil nichts von dem gelungen ist, was versucht wurde: {}.": (
        "der die das ist sind und wie viele wer wann welche welcher welches wo hat haben von wurde "
        "ein eine den dem des nicht auf im als mit kann mir"
    ),
    "Je n'ai pas trouvé de réponse, car rien de ce qui a été essayé n'a réussi : {}.": (
        "le la les est sont et combien quel quelle quels quelles qui où quand des du de dans un "
        "une pas que plus entre il au aux"
    ),
    "No he encontrado respuesta, porque nada de lo que se intentó tuvo éxito: {}.": (
        "el la los las es son y cuántos cuántas cuánto cuál cuáles quién dónde cuándo del de en un "
        "una no que más entre tiene tienen qué"
    ),
    "Non ho trovato una risposta, perché nulla di ciò che è stato tentato è riuscito: {}.": (
        "il lo la gli le è sono e quanti quante quanto quale quali chi dove quando del della dei "
        "di in un una non che più tra ha hanno"
    ),
    "Não encontrei resposta, porque nada do que foi tentado teve sucesso: {}.": (
        "o a os as é são e quantos quantas quanto qual quais quem onde quando do da dos de em no "
        "na um uma não que mais entre tem têm"
    ),
    "Ik heb geen antwoord gevonden, want niets van wat is geprobeerd, is gelukt: {}.": (
        "de het een is zijn en hoe veel hoeveel wie wanneer welke welk waar heeft hebben van niet "
        "dat dan meer in op"
    ),
    "Jag hittade inget svar, eftersom inget av det jag prövade lyckades: {}.": (
        "den det är och hur många vem när vilken vilket var har av inte på mer en ett i"
    ),
    "Nie udało się znaleźć odpowiedzi, bo nic z tego, czego próbowano, się nie powiodło: {}.": (
        "jest są i ile kto kiedy który która które gdzie ma mają nie w na o od do z się jaki jaka "
        "jakie lat"
    ),
    "Yanıt bulunamadı, çünkü denenenlerin hiçbiri sonuç vermedi: {}.": (
        "bir ve kaç kim nerede hangi ne mi mı mu mü ile daha en için var kadar zaman nedir"
    ),
}
"""By small words of the language."""
_BY_LETTERS: Final = {
    "HIRAGANA": "答えは見つかりませんでした。試したことはどれもうまくいきませんでした: {}",
    "KATAKANA": "答えは見つかりませんでした。試したことはどれもうまくいきませんでした: {}",
    "HANGUL": "답을 찾지 못했습니다. 시도한 것이 모두 실패했습니다: {}",
    "CJK": "没有找到答案，因为尝试的都没有成功：{}",
    "CYRILLIC": "Ответ не найден: ничего из того, что было испробовано, не удалось: {}.",
}
"""By the first word of Unicode's names of its letters, the surest first."""
_ENGLISH_WORDS: Final = frozenset(
    "the is are was were and how many much who when which where has have of a an in on at to that "
    "than more what does did do by it its if would for from not".split()
)
_WORD: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_MAX_CHARS: Final = 2000


def no_answer(question: str, reasons: Sequence[str]) -> str:
    """A reply that says that nothing which was tried succeeded, and why."""
    return _in_language_of(question[:_MAX_CHARS]).format("; ".join(reasons))


def _in_language_of(question: str) -> str:
    scripts = {unicodedata.name(letter, "").split(" ")[0] for letter in question}
    for script, sentence in _BY_LETTERS.items():
        if script in scripts:
            return sentence
    # Names say nothing of the language: "the author of Die Leiden des jungen Werther".
    first, *others = _WORD.findall(question) or [""]
    said = [first.casefold(), *(word for word in others if not word[0].isupper())]
    counts = {
        sentence: sum(word in small for word in said)
        for sentence, small in ((it, {*words.split()}) for it, words in _BY_WORDS.items())
    }
    best = max(counts, key=counts.__getitem__)
    english = sum(word in _ENGLISH_WORDS for word in said)
    return best if counts[best] > english else _ENGLISH
