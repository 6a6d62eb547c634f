"""Whatever a template looks like, only its code is replaced.

Random templates with a fixed seed, `CRC_PROPERTY_CASES` of them. One that shares the text of
code with something else by an anchor may be refused; nothing else may.
"""

import os
import random

import splice
import template_random

CASES = int(os.environ.get("CRC_PROPERTY_CASES", "250"))
SEED = 20260528
MAY_BE_REFUSED = ("is used elsewhere by an anchor", "has a tag and an anchor", "has no CodeUri",
                  "share one text")


def test_only_code_is_replaced():
    rng = random.Random(SEED)
    left, codes, refused = CASES, 0, 0
    while left > 0:
        templates = [(f"t{i}", template_random.document(rng)) for i in range(min(left, 500))]
        left -= len(templates)
        for (name, data), answer in zip(templates, splice.splice(templates)):
            try:
                if "error" in answer:
                    assert any(words in answer["error"] for words in MAY_BE_REFUSED), answer
                    refused += 1
                    continue
                splice.check(data, answer)
                codes += len(answer["codes"])
            except Exception as e:
                raise AssertionError(f"{data.decode()}\n{answer.get('error', '')}") from e
    assert codes > CASES and refused < CASES / 10, (codes, refused)
