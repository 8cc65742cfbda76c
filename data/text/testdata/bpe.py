# Writes bpe.json, with what the package tokenizers of Hugging Face makes of some texts:
#
#     pip install tokenizers && python bpe.py
import json
import random

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

CORPUS = [
    "The least Light or part of Light, which may be stopp'd alone without the rest of the Light, or propagated alone, I call a Ray of Light.",
    "It's what I'd say: we'll go, they've gone, I'm here, you're there, and he can't be everywhere; don't wait.",
    "Der Zug fährt um 12:45 Uhr über die Brücke, größer als 1,234.56 Häuser. Ça va très bien, merci à tous!",
    "Привет, мир! Как дела? 你好，世界。今天天气很好。 こんにちは世界",
    "def f(x):\n    return x ** 2 + 3 * x - 1\n\n\nprint(f(10))\n\tif x == 2024:\n        pass",
    "aaaa aaa aa a bbbb abab ababab 1111 22 333 4444 55555",
    "The rays of light are refracted, reflected and inflected; the rays that differ in color differ in refrangibility.",
    "All the Productions and Appearances of Colours in the World are derived, not from any physical Change caused in Light by Refraction or Reflexion.",
] * 3

TEXTS = [
    "", " ", "  ", "\n", "a", "The Rays of Light", "  two  spaces   three    four ", "tabs\tand\n\nlines\r\n end ", "it's we'LL I'D CAN'T don't 'tis 'S",
    "12345 1,234.56 3.14e-10 2024-11-27", "naïve façade Ångström ÅNGSTRÖM İstanbul ǅ ß ẞ ſ ΑΣ", "Привет, мир", "你好，世界 今天abc天气", "こんにちは", "🙂🥰👩‍👩‍👧 🏳️‍🌈 e\u0301 é ﬁ ²",
    "<|end|>", "a<|end|>b <|end|> c", "x <s> y </s> <|begin|>", "<extra>word <extra> x<extra>", "\u00a0\u2003non\u00a0breaking\u3000space\u2028line\u0085next", "null\u0000 and \ufffd and \u200d and \ufeff control\u0007",
    "aaaaaaaaaaaaaaaaaaaaaa", "unbelievabletransformation", "x" * 101, "hello   ", "   hello", "a  .  b !? , n't 's", "C'est l'été; ½ ¾ ٣٤٥ ４５ Ⅷ",
]
r = random.Random(7)
pool = [chr(c) for c in list(range(32, 127)) * 3] + list("éàüßÆøłŁçñ \n\t  ''sStTдЖя你好世。、ا١٢क्षि🙂\u0301\u00a0")
TEXTS += ["".join(r.choice(pool) for _ in range(r.randint(5, 60))) for _ in range(40)]


def golden(name, t, train=None):
    out = []
    for text in TEXTS:
        plain, special = t.encode(text, add_special_tokens=False).ids, t.encode(text).ids
        out.append({"text": text, "plain": plain, "special": special, "decoded": t.decode(special, skip_special_tokens=True)})
    return {"name": name, "tokenizer": json.loads(t.to_str()), "train": train, "encodings": out}


def bpe(size, special, pre, **kwargs):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre
    t.decoder = decoders.ByteLevel()
    t.post_processor = processors.ByteLevel(trim_offsets=False)
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=size, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False, **kwargs))
    return t


LLAMA = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def llama():
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


cases = [golden("gpt2", bpe(420, ["<|end|>"], pre_tokenizers.ByteLevel(add_prefix_space=False)), {"size": 420, "special": ["<|end|>"]})]
cases.append(golden("frequent", bpe(2000, [], pre_tokenizers.ByteLevel(add_prefix_space=False), min_frequency=9), {"size": 2000, "min": 9}))

t = bpe(360, ["<|end|>", "<|begin|>"], llama())
t.model = models.BPE(json.loads(t.to_str())["model"]["vocab"], [tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in json.loads(t.to_str())["model"]["merges"]], ignore_merges=True)
t.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing(single="<|begin|> $A", pair="<|begin|> $A <|begin|> $B", special_tokens=[("<|begin|>", 1)])])
t.add_tokens([AddedToken("<extra>", lstrip=True), AddedToken("word", single_word=True, rstrip=True)])
cases.append(golden("llama", t))

t = bpe(320, ["<s>", "</s>"], pre_tokenizers.ByteLevel(add_prefix_space=True))
t.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
t.post_processor = processors.RobertaProcessing(("</s>", 1), ("<s>", 0))
cases.append(golden("prefix", t))

for case in cases:
    t = Tokenizer.from_str(json.dumps(case["tokenizer"]))
    e = t.encode("The Rays", "of light 12")
    case["pair"] = {"ids": e.ids, "types": e.type_ids}

with open("bpe.json", "w") as f:
    json.dump({"version": tokenizers.__version__, "corpus": CORPUS, "cases": cases}, f, ensure_ascii=True, separators=(",", ":"))
    f.write("\n")
