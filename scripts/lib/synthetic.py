"""Documents that nobody wrote, and questions that only one of them answers: see scripts/synthetic-data.sh."""

import json
import os
import random
import sys

TOWNS = "Aldermoor Brackwater Coldhaven Dunmere Elmsford Fernhollow Greyford Harrowgate Inverloch Juniper Kestrelby Larkfield Merrow Northwick Oakhurst Pellbrook Quarrington Ravenscar Saltmarsh Thornbury".split()
FIRST = "Ada Bruno Clara Dmitri Elif Farid Greta Hiro Ines Jonas Kofi Lena Mateo Nadia Oskar Priya Quentin Rosa Samir Tove".split()
LAST = "Fenwick Okafor Lindqvist Marchetti Novak Haddad Ferreira Tanaka Byrne Castell Dvorak Eriksen Gallo Ibarra Keane Larsen Moreau Petrov Rossi Sato".split()
THINGS = "lighthouse viaduct observatory granary tannery orchard cistern ropewalk foundry windmill customs-house aqueduct boatyard archive dairy quarry weather-station library signal-box glasshouse".split()
KINDS = "old northern iron hidden royal upper eastern quiet painted twin".split()
TOPICS = {
    "history": ["The {kind} {thing} of {town} was built in {year} by {person}.", "A storm in {year2} took its roof; {person2} paid for the repair with {amount} crowns."],
    "maintenance": ["The {kind} {thing} of {town} is inspected every {months} months by {person}.", "The inspection of {year2} found {amount} loose rivets, which {person2} replaced."],
    "people": ["{person} kept the {kind} {thing} of {town} from {year} on.", "Visitors of {year2} say that {person2} showed them round and charged {amount} pence."],
    "trade": ["The {kind} {thing} of {town} was let to {person} in {year}.", "In {year2} it earned {amount} crowns, of which {person2} got a tenth."],
}
FILLER = [
    "The road there floods in spring and is passable again by May.", "No plan of the building has survived, and later drawings disagree.",
    "It stands on clay, which is why the doors have been hung anew more than once.", "The parish register mentions it twice, both times in passing.",
    "Its bell can be heard across the water when the wind is from the west.", "Swallows nest under the eaves and are left alone by custom.",
    "The keys are kept at the inn, and whoever borrows them signs for them.", "Winter work is done by lamplight, and rarely after five.",
]
QUESTION = {"history": "Who built the {kind} {thing} of {town}?", "maintenance": "Who inspects the {kind} {thing} of {town}?",
            "people": "Who kept the {kind} {thing} of {town}?", "trade": "To whom was the {kind} {thing} of {town} let?"}


def documents(count, seed):
    dice = random.Random(seed)
    places = [(kind, thing, town) for kind in KINDS for thing in THINGS for town in TOWNS]
    if count > len(places):
        sys.exit(f"at most {len(places)} documents have a place of their own")
    for number, (kind, thing, town) in enumerate(dice.sample(places, count), 1):
        topic = dice.choice(sorted(TOPICS))
        people = [f"{dice.choice(FIRST)} {dice.choice(LAST)}" for _ in range(2)]
        year = dice.randint(1780, 1960)
        facts = {"kind": kind, "thing": thing, "town": town, "person": people[0], "person2": people[1], "year": year,
                 "year2": year + dice.randint(1, 60), "amount": dice.randint(12, 980), "months": dice.randint(2, 18)}
        sentences = [sentence.format(**facts) for sentence in TOPICS[topic]] + dice.sample(FILLER, dice.randint(2, 6))
        yield {
            "external_id": f"synthetic-{number:05}", "title": f"The {kind} {thing} of {town}", "text": " ".join(sentences),
            "media_type": "text/plain", "attributes": {"topic": topic, "town": town, "year": year, "verified": dice.random() < 0.7},
        }, QUESTION[topic].format(**facts)


def main(count, seed, out, beir):
    made = list(documents(int(count), int(seed)))
    with (sys.stdout if out == "-" else open(out, "w")) as file:
        for document, _ in made:
            file.write(json.dumps(document) + "\n")
    if beir:
        os.makedirs(os.path.join(beir, "qrels"), exist_ok=True)
        with open(os.path.join(beir, "corpus.jsonl"), "w") as corpus, open(os.path.join(beir, "queries.jsonl"), "w") as queries, \
                open(os.path.join(beir, "qrels", "test.tsv"), "w") as judged:
            judged.write("query-id\tcorpus-id\tscore\n")
            for number, (document, question) in enumerate(made, 1):
                corpus.write(json.dumps({"_id": document["external_id"], "title": document["title"], "text": document["text"]}) + "\n")
                if number % 5 == 0:
                    queries.write(json.dumps({"_id": f"q{number}", "text": question}) + "\n")
                    judged.write(f"q{number}\t{document['external_id']}\t1\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
