"""Refusals: sentences written for the purpose, in English and Chinese."""

from __future__ import annotations

import pytest

from mmdu_analysis.stats.refusals import is_refusal

REFUSALS = (
    "I'm sorry, but I can't see Image2.",
    "I’m unable to view images.",
    "As an AI, I have no eyes.",
    "I don't have access to the images.",
    "I do not have the ability to view pictures.",
    "Unfortunately, I cannot compare the two images.",
    "I cannot determine what the building is.",
    "I can't actually see the picture you mean.",
    "I don't see any image in your message.",
    "No image was provided.",
    "Please upload the image so that I can help.",
    "I apologize, I am not able to identify people.",
    "Unable to determine the answer.",
    "抱歉，我无法看到图片。",
    "对不起，我不能回答这个问题。",
    "我无法识别图中的人物。",
    "作为一个人工智能，我没有视觉。",
    "您没有提供图片。",
    "请上传相关的图片。",
    "无法确定这张图片的内容。",
)
ANSWERS = (
    "",
    "The exact date is not provided in the image.",
    "The name of the ship cannot be determined from the image, but its flag is Dutch.",
    "The can is red and I see a bird.",
    "It is an area that is also an airport.",
    "The man in Image1 is unable to see the road because of the fog.",
    "Visitors are not allowed to access the tower, so no images of its inside are shown here.",
    "It is not possible to enter the fort by car.",
    "The sign reads: sorry, we are closed.",
    "People who cannot see may touch the model.",
    "As an air base it was used until 1990.",
    "图片中没有提供具体的日期。",
    "这座塔不能进入，但可以从外面看到。",
    "盲人无法看到这幅画，但可以触摸它。",
    "图中的牌子上写着：抱歉，今日休息。",
)


@pytest.mark.parametrize("text", REFUSALS)
def test_a_refusal_is_one(text):
    assert is_refusal(text)


@pytest.mark.parametrize("text", ANSWERS)
def test_an_answer_about_the_picture_is_not_a_refusal(text):
    assert not is_refusal(text)
