"""Writes wordpiece.json: two small WordPiece tokenizers, as files, and what they make of odd texts. Needs tokenizers."""
import json, os
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, decoders, trainers

here = os.path.dirname(os.path.abspath(__file__))
book = open(os.path.join(here, "../../opticks/opticks.txt"), encoding="utf-8").read()[:60000]
extra = ["Crème brûlée à la İstanbul, straße, Ελληνικά ΟΔΥΣΣΕΥΣ", "日本語 中文字 한국어", "don't we've I'm (x-y) 3.14 $5"] * 5
texts = [
    "", " ", "Hello, world!", "The Rays of Light are refrangible.", "refrangibilities unrefrangibly", "Crème brûlée", "İstanbul ISPARTA ıßẞ",
    "a\tb\nc\r\nd\u00a0e\u3000f\u2028g", "nul\x00here\u200bzero\u00adsoft\ufefffeff\ufffdrep\u0007bell", "中文字とカナ한국어", "e\u0301 \u1e9b\u0323 \u212b",
    "x" * 100, "y" * 101, "light " * 40, "don't can't I'm we've (x-y)=3.14% $5 <b> a_b ^`~|+", "¿qué? «quote» “smart” — dash… ‹x›", "emoji 🙂👍🏽 and \U0001d54f",
    "[CLS] in the [SEP] text [MASK][PAD] [cls] [UNK]", "[[SEP]]", "ΟΔΥΣΣΕΥΣ Σ", "\U00020000\U0002b820\U0002f800豈", "\ue000private \u0378unassigned", "Ω≈ç√∫˜µ≤≥÷", "ﬁ ligature ½ ²",
    "word\u0300\u0301\u0302 a\u20dd", "1234567890 12,345.67", "ʼn ǅ Ǆ ǆ", "\u0085next\u001cline\u001f", "มันไทย हिन्दी العربية עברית",
]
pairs = [("The Rays of Light", "are refrangible."), ("", "b"), ("light " * 9, "a b c"), ("a b c", "light " * 9), ("light " * 9, "ray " * 9)]
out = []
for lower in (True, False):
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(lowercase=lower, strip_accents=None if lower else False)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece(prefix="##")
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    t.train_from_iterator([book] + extra, trainers.WordPieceTrainer(vocab_size=500, special_tokens=special, show_progress=False, limit_alphabet=200))
    cls, sep = t.token_to_id("[CLS]"), t.token_to_id("[SEP]")
    if lower:
        t.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", cls), ("[SEP]", sep)])
    else:
        t.post_processor = processors.BertProcessing(("[SEP]", sep), ("[CLS]", cls))
    case = {"tokenizer": json.loads(t.to_str()), "cased": not lower, "vocabulary": [t.id_to_token(i) for i in range(t.get_vocab_size())], "texts": [], "pairs": []}
    for x in texts:
        ids = t.encode(x).ids
        t.enable_truncation(12)
        short = t.encode(x).ids
        t.no_truncation()
        case["texts"].append({"text": x, "ids": ids, "short": short, "decoded": t.decode(ids)})
    for a, b in pairs:
        t.enable_truncation(12)
        e = t.encode(a, b)
        t.no_truncation()
        case["pairs"].append({"a": a, "b": b, "ids": e.ids, "segments": e.type_ids})
    out.append(case)
json.dump(out, open(os.path.join(here, "wordpiece.json"), "w"), ensure_ascii=True, separators=(",", ":"))
