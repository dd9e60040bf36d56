"""Keeps generated requests to what the description cannot say: a text needs a letter or digit, a file must be a document."""

import schemathesis

text_fields = ("content", "document", "inputs")
document = "One went out. Two came back. Three stayed."


@schemathesis.hook
def filter_body(context, body):
    """Drops texts without a letter or digit: they are refused as blank, and no JSON Schema pattern says so for every script."""
    if not isinstance(body, dict):
        return True
    texts = [body[name] for name in text_fields if isinstance(body.get(name), str)]
    return all(any(letter.isalnum() for letter in text) for text in texts)


@schemathesis.hook
def before_call(context, case, kwargs):
    """Puts a text in the place of valid requests' random bytes and sample pictures, which are refused as no document."""
    if case.meta is None or case.meta.generation.mode.value != "positive":
        return
    if isinstance(case.body, dict) and "file" in case.body:
        case.body = {**case.body, "file": document}
