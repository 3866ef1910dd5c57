"""A translator, made from nothing but pairs: English numbers into German ones, where the order of the words turns round."""

from pathlib import Path

import warmer

ONES = """- one two three four five six seven eight nine ten eleven twelve
    thirteen fourteen fifteen sixteen seventeen eighteen nineteen"""
EINS = """- ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf
    dreizehn vierzehn fünfzehn sechzehn siebzehn achtzehn neunzehn"""
TENS = "- - twenty thirty forty fifty sixty seventy eighty ninety"
ZEHN = "- - zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig"


def english(n: int) -> str:
    if n < 20:
        return ONES.split()[n]
    if n < 100:
        return TENS.split()[n // 10] + (f" {english(n % 10)}" if n % 10 else "")
    return f"{english(n // 100)} hundred" + (f" {english(n % 100)}" if n % 100 else "")


def german(n: int) -> str:
    if n < 20:
        return EINS.split()[n]
    if n < 100:
        return (f"{german(n % 10)} und " if n % 10 else "") + ZEHN.split()[n // 10]
    return f"{german(n // 100)} hundert" + (f" {german(n % 100)}" if n % 100 else "")


pairs = [(english(n), german(n)) for n in range(1, 1000)]
model = warmer.learn(pairs, signature="text -> text", width=96, depth=2, dropout=0, epochs=60, advice=False)
print(model.evidence["sentence"])
for said in ("seven hundred eighty three", "forty two", "nine hundred one"):
    print(f"{said} → {model(said).value}")

look = warmer.look(model).alignment("seven hundred eighty three")
print(look.sentence)
Path("alignment.png").write_bytes(next(iter(look.pictures.values())))
