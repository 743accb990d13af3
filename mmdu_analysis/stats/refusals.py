"""Refusals to answer, in English and Chinese."""

from __future__ import annotations

import re

_SEE = "see|view|access|open|load|display|look at|perceive"
_TELL = "determine|identify|provide|answer|assist|help|describe|compare|tell|recognize|recognise|comment|analyze|analyse"
_CANNOT = r"(?:can(?:no|')t|cannot|could(?: not|n't)|am (?:unable|not able) to|'m (?:unable|not able) to|am not allowed to)"
_PICTURE = r"(?:images?|pictures?|photos?|photographs?|attachments?|files?)"

_ENGLISH = (
    # The writer states that they can't see or tell: "I cannot see Image2", "I'm unable to determine ...".
    rf"\bi (?:really |still |currently |also )?{_CANNOT} (?:actually |directly |really |definitively |currently )?(?:{_SEE}|{_TELL})\b",
    rf"\bi{_CANNOT} (?:actually |directly |really )?(?:{_SEE}|{_TELL})\b",
    # "I don't have access to the images", "I do not have the ability to view pictures".
    r"\bi (?:do not|don't) have (?:any |direct )?(?:access to|the ability to|the capability to|information (?:about|on) the "
    rf"{_PICTURE})",
    rf"\bi (?:do not|don't) see (?:any |an |the )?{_PICTURE}\b",
    # Apologies at the beginning of an answer.
    r"^\W*(?:i(?:'m| am) (?:very |really |so )?(?:sorry|afraid)\b|i apologi[sz]e\b|sorry,? (?:but )?i\b|unfortunately,? i (?:can|do|am)\b)",
    r"\bas an? (?:ai|artificial intelligence|(?:large )?language model|text-based)\b",
    rf"^\W*(?:unable|not able) to (?:{_SEE}|{_TELL})\b",
    # No picture was received.
    rf"\bno {_PICTURE} (?:is|are|was|were|has been|have been) (?:provided|shown|attached|uploaded|included|visible to me)\b",
    rf"\b{_PICTURE} (?:you (?:mentioned|provided) )?(?:is|are|was|were) not (?:visible|accessible|available) to me\b",
    rf"\bplease (?:provide|upload|share|attach|send) (?:me )?(?:the |an |a )?{_PICTURE}\b",
)
_CHINESE = (
    r"^\W*(?:很|非常|十分)?(?:抱歉|对不起|不好意思)",
    r"我(?:目前|现在|暂时|并)?(?:无法|不能|没法|没有办法|没办法)(?:直接|准确|实际)?"
    r"(?:看到|看见|查看|访问|打开|识别|确定|判断|回答|提供|描述|比较|分析|辨认|帮)",
    r"^\W*(?:无法|不能)(?:直接|准确)?(?:看到|查看|访问|识别|确定|判断|回答|提供|描述|比较|分析)",
    r"作为(?:一个|一名)?(?:人工智能|AI|语言模型|大(?:型)?语言模型)",
    r"(?:您|你)?(?:没有|未|并未)(?:提供|上传|发送|附上)(?:任何)?(?:图|照片)",
    r"请(?:您|你)?(?:提供|上传|发送)(?:相关|相应|有关)?(?:的)?(?:图|照片)",
)
_REFUSAL = re.compile("|".join((*_ENGLISH, *_CHINESE)), re.IGNORECASE)


def is_refusal(text: str) -> bool:
    """Return whether an answer is a refusal: its writer can't or won't look, answer or help.

    Parameters
    ----------
    text : str
        An answer in English or Chinese.

    Returns
    -------
    bool
        A statement about the picture is not a refusal, even if it says what the picture doesn't show.

    Notes
    -----
    Patterns of sentences, not a classifier: unusual wordings are missed. Examples are in the tests.

    Examples
    --------
    >>> is_refusal("I don't have access to the images.")
    True
    >>> is_refusal("The exact date is not provided in the image.")
    False
    """
    return _REFUSAL.search(text.replace("’", "'")) is not None
