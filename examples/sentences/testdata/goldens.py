"""Writes a small model of the architecture of all-MiniLM-L6-v2 with random weights, its tokenizer, and what sentence-transformers makes of some sentences.
Needs sentence-transformers. With a folder as argument it prints the embeddings of that model instead, one line of JSON for each sentence."""
import json, os, sys
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.models import Normalize, Pooling, Transformer
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

here = os.path.dirname(os.path.abspath(__file__))
sentences = ["The rays of light differ in color.", "Colours are properties of light, and every ray has its own!", "Bread is baked from flour, water and salt.", "",
             "Naïve café, 中文", "light " * 60]
if len(sys.argv) > 1:
    for e in SentenceTransformer(sys.argv[1], device="cpu").encode(sentences):
        print(json.dumps([float(x) for x in e]))
    sys.exit()

special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
t.normalizer = normalizers.BertNormalizer(lowercase=True)
t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
t.decoder = decoders.WordPiece(prefix="##")
book = open(os.path.join(here, "../../../data/opticks/opticks.txt"), encoding="utf-8").read()[:30000]
t.train_from_iterator([book] + sentences, trainers.WordPieceTrainer(vocab_size=300, special_tokens=special, show_progress=False, limit_alphabet=60))
t.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
model = os.path.join(here, "model")
PreTrainedTokenizerFast(tokenizer_object=t, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]").save_pretrained(model)
torch.manual_seed(1)
bert = BertModel(BertConfig(vocab_size=t.get_vocab_size(), hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=48, max_position_embeddings=48))
with torch.no_grad():
    for p in bert.parameters():  # larger than usual, and biases that are not 0, so that every weight counts
        p.add_(torch.randn_like(p) * 0.2)
bert.save_pretrained(model)
transformer = Transformer(model, max_seq_length=48)
e = SentenceTransformer(modules=[transformer, Pooling(24, "mean"), Normalize()], device="cpu").encode(sentences)
json.dump({"sentences": sentences, "embeddings": [[float(f"{x:.7g}") for x in row] for row in e]}, open(os.path.join(here, "goldens.json"), "w"))
for name in os.listdir(model):
    if name not in ("config.json", "model.safetensors", "tokenizer.json"):
        os.remove(os.path.join(model, name))
