"""Pseudonyms for an export of a collection: see scripts/anonymize-data.sh. Reads NDJSON, writes NDJSON."""

import datetime
import hashlib
import hmac
import json
import re
import sys

# Words that say nothing of anybody; kept so that texts still look like language to a chunker and to BM25.
FUNCTION_WORDS = set(
    "a about above after again against all also am an and any are as at be because been before being below between both but by "
    "can could did do does down during each either else ever every few for from further had has have he her here hers him his "
    "how i if in into is it its just least less many may me might more most much must my neither no nor not now of off on once "
    "only or other our out over own per same shall she should since so some such than that the their them then there these they "
    "this those through to too under until up upon us very was we were what when where whether which while who whom whose why "
    "will with within without would yes yet you your".split()
)
CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"
TOKEN = re.compile(r"[^\W\d_]+|\d+")
DATE = re.compile(r"\d{4}-\d\d-\d\d([Tt ].*)?$")


class Pseudonyms:
    def __init__(self, key, keep):
        self.key, self.keep, self.known = key, keep, {}

    def bytes_of(self, kind, value):
        return hmac.new(self.key, f"{kind}\0{value}".encode(), hashlib.sha256).digest()

    def name(self, kind, value):
        return self.bytes_of(kind, value).hex()[:16]

    def word(self, word):
        """The same word is always the same pseudonym, so that what was found together is found together."""
        lower = word.lower()
        if lower in FUNCTION_WORDS:
            return word
        made = self.known.get(lower)
        if made is None:
            numbers = self.bytes_of("word", lower)
            letters = [(CONSONANTS if at % 2 == 0 else VOWELS)[number % (14 if at % 2 == 0 else 5)] for at, number in enumerate(numbers)]
            # About as long, and never the word itself; at least three letters, or too many words would share one.
            made = "".join(letters)[: min(max(len(lower), 3), 14)]
            if made == lower:
                made = made[::-1] + "u"
            if len(self.known) < 1_000_000:
                self.known[lower] = made
        if word.isupper() and len(word) > 1:
            return made.upper()
        return made.capitalize() if word[0].isupper() else made

    def number(self, digits):
        numbers = self.bytes_of("number", digits)
        made = "".join(str(numbers[at % 32] % 10) for at in range(len(digits)))
        return "1" + made[1:] if made[0] == "0" and digits[0] != "0" else made

    def text(self, text):
        return TOKEN.sub(lambda found: self.number(found[0]) if found[0].isdigit() else self.word(found[0]), text)

    def date(self, key, value):
        """Shifted by up to two years, each attribute by its own amount: their order stays."""
        days = int.from_bytes(self.bytes_of("date", key)[:2], "big") % 1461 - 730
        day = datetime.date.fromisoformat(value[:10]) + datetime.timedelta(days=days)
        return day.isoformat() + value[10:]

    def attribute(self, key, value):
        if key in self.keep or value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            if DATE.match(value):
                try:
                    return self.date(key, value)
                except ValueError:
                    pass
            return "v-" + self.name("attribute " + key, value)
        if isinstance(value, (int, float)):
            # Two significant digits: ranges still select, an exact amount points at nobody.
            rounded = float(f"{value:.2g}")
            return int(rounded) if isinstance(value, int) else rounded
        if isinstance(value, list):
            return [self.attribute(key, element) for element in value]
        return {"k-" + self.name("key", inner): self.attribute(f"{key}.{inner}", held) for inner, held in value.items()}

    def document(self, document):
        """Only what is named here goes on: a field that a later version adds is left out, not let through."""
        made = {"external_id": "doc-" + self.name("document", document["external_id"]), "text": self.text(document["text"])}
        if document.get("title"):
            made["title"] = self.text(document["title"])
        if document.get("uri"):
            made["uri"] = "https://example.invalid/" + self.name("uri", document["uri"])
        if document.get("media_type"):
            made["media_type"] = document["media_type"]
        if document.get("attributes"):
            made["attributes"] = {key: self.attribute(key, value) for key, value in document["attributes"].items()}
        if document.get("acl"):
            made["acl"] = [principal if principal == "*" else principal.partition(":")[0] + ":" + self.name("principal", principal)
                           for principal in document["acl"]]
        return made


def main(key_file, keep, source, target):
    with open(key_file, "rb") as file:
        key = file.read().strip()
    pseudonyms = Pseudonyms(key, set(filter(None, keep.split(","))))
    written = left_out = 0
    complete = begun = False
    for line in source:
        if not line.strip():
            continue
        held = json.loads(line)
        if "export" in held:
            begun = True
            collection = held["export"]["collection"]
            collection.update({"description": "anonymised", "metadata": {}})
            target.write(json.dumps({"export": {"version": held["export"]["version"], "collection": collection}}) + "\n")
        elif "complete" in held:
            complete = True
            target.write(json.dumps({"complete": {"documents": written}}) + "\n")
        elif "error" in held:
            sys.exit(f"the export was cut off: {held['error']}")
        elif "text" not in held:
            left_out += 1
        else:
            target.write(json.dumps(pseudonyms.document(held), ensure_ascii=False) + "\n")
            written += 1
    if begun and not complete:
        sys.exit("the export was cut off: its last line is missing; export again")
    print(f"{written} documents, {len(pseudonyms.known)} words replaced; {left_out} left out, which are not text", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.stdin, sys.stdout)
