"""Tokens a second learned from and written by a translator, against `torch.nn.Transformer` and Hugging Face's Pegasus.

    python benchmarks/translating.py multi30k/train.en multi30k/train.de --model multi30k.safetensors --texts multi30k/val.en

All three are one network: the peers are given our weights, and write the same texts. (`torch.nn.Transformer` drops looks and
inner activations, too, and cannot be told otherwise.) They take turns in one process, theirs in single precision as PyTorch
does unless told otherwise and, learning, in mixed precision (autocast to bfloat16), too; ours in the number format that is
quicker on the machine. Learning: batches as each user makes them, ours of sentences of about equal length, theirs in random
order; what counts are real tokens of the answers, not padding. Writing, with a model that has learned: theirs in batches of
32 in the order of the file, all at once, and one by one as a `pipeline` does unless told otherwise; the plain loop runs the
whole of what is written through the decoder for every token, as the tutorials do.
"""

from __future__ import annotations

import argparse
import copy
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _runs import by_turns, descent_of, endless, network_for, prepared_for, told
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

import warmer
from warmer.examples import _split
from warmer.examples._prepare import Prepared
from warmer.examples._store import ragged
from warmer.kinds._tokens import BEGIN, EMPTY, END
from warmer.kinds._writing import WritingHead
from warmer.networks.network import Network
from warmer.networks.sequences import heads_of, places
from warmer.plan import Plan
from warmer.training.judging import together

SENTENCES, LONGEST = 32, 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("x")
    parser.add_argument("y")
    parser.add_argument("--model", help="a translator that has learned, to measure writing")
    parser.add_argument("--texts", help="a file of sentences for it")
    parser.add_argument("--n", type=int, default=256, help="how many of them")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20.0, help="a turn")
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    prepared, plan = prepared_for((options.x, options.y), threads=options.threads)
    runs = learning(prepared, plan)
    print(told("tokens learned from", by_turns(runs, options.rounds, options.seconds)), flush=True)
    if options.model:
        model = warmer.load(options.model)
        texts = Path(options.texts).read_text(encoding="utf-8").splitlines()[: options.n]
        with torch.inference_mode():
            for beams in (1, model.head.beams):
                found: dict[str, list[list[int]]] = {}
                rates = by_turns(writing(model, texts, beams, found), options.rounds, 5.0)
                print(told("tokens written, " + ("greedily" if beams == 1 else f"{beams} beams"), rates))
                for name, written in found.items():
                    same = np.mean([a == b for a, b in zip(written, found["warmer"], strict=False)])
                    print(f"    {name}: {same:.1%} of {len(written)} texts are ours to the letter", flush=True)


def learning(prepared: Prepared, plan: Plan) -> dict[str, Callable[[], int]]:
    """Return one step of each, ours and the plain loops of the same network."""
    network = network_for(prepared, plan)
    size = {"parameters": sum(p.numel() for p in network.parameters())}
    print(
        f"width {plan.width}, {plan.depth} layers a side, {size['parameters']:,} weights, batches of {plan.batch}",
        flush=True,
    )
    runs = {"warmer": our_step(prepared, plan)}
    for name, made in {"torch.nn.Transformer": Plain, "Pegasus": pegasus}.items():
        runs[name] = plain(prepared, plan, made(network, plan))
        runs[f"{name}, autocast"] = plain(prepared, plan, made(network, plan), mixed=True)
    return runs


def our_step(prepared: Prepared, plan: Plan) -> Callable[[], int]:
    """Return one step of ours that says how many tokens of answers it learned from."""
    descent = descent_of(prepared, endless(plan))
    moments = iter(descent)
    counted = [0]
    loss = descent._loss

    def counting(outputs: Tensor, targets: Tensor, places: Any) -> Tensor:
        counted[0] += int((targets != EMPTY).sum())
        return loss(outputs, targets, places)

    descent._loss = counting  # type: ignore[method-assign]

    def step() -> int:
        before = counted[0]
        next(moments)
        return counted[0] - before

    return step


class Plain(nn.Module):
    """The translator of PyTorch's tutorial, with the very weights of a translator of ours."""

    def __init__(self, network: Network, plan: Plan) -> None:
        super().__init__()
        head, own = network.head, network.encoder
        assert isinstance(head, WritingHead)
        self.source, self.table = copy.deepcopy(own.table), copy.deepcopy(head.writer.table)
        self.entry, self.bias = copy.deepcopy(head.entry), nn.Parameter(head.writer.bias.detach().clone())
        self.register_buffer("places", places(LONGEST, plan.width, torch.device("cpu")))
        self.body = nn.Transformer(
            plan.width, heads_of(plan.width), plan.depth, plan.depth, 2 * plan.width, plan.dropout,
            "gelu", batch_first=True, norm_first=True,
        )  # fmt: skip
        self.body.encoder.norm.load_state_dict(own.body.norm.state_dict())
        self.body.decoder.norm.load_state_dict(head.writer.norm.state_dict())
        for theirs, ours in zip(self.body.encoder.layers, own.body.layers, strict=True):
            _stacked(theirs.self_attn, ours.attention)
            _dense(theirs.linear1, theirs.linear2, ours)
            _norms(theirs, ours, {"norm1": "norm1", "norm2": "norm2"})
        for theirs, ours in zip(self.body.decoder.layers, head.writer.layers, strict=True):
            _stacked(theirs.self_attn, ours.written)
            _stacked(theirs.multihead_attn, ours.read)
            _dense(theirs.linear1, theirs.linear2, ours)
            _norms(theirs, ours, {"norm1": "norm1", "norm2": "norm2", "norm3": "norm3"})

    def read(self, x: Tensor) -> Tensor:
        """Return what is read, `[batch, places, width]`."""
        seen = self.source(x) * self.source.embedding_dim**0.5 + self.places[: x.shape[1]]
        return self.entry(self.body.encoder(seen, src_key_padding_mask=x == EMPTY))

    def logits(self, given: Tensor, memory: Tensor, empty: Tensor) -> Tensor:
        """Return logits of the token after each."""
        causal = nn.Transformer.generate_square_subsequent_mask(given.shape[1])
        target = self.table(given) * self.table.embedding_dim**0.5 + self.places[: given.shape[1]]
        found = self.body.decoder(target, memory, tgt_mask=causal, memory_key_padding_mask=empty, tgt_is_causal=True)
        return F.linear(found, self.table.weight, self.bias)

    def forward(self, x: Tensor, given: Tensor) -> Tensor:
        return self.logits(given, self.read(x), x == EMPTY)

    def written(self, x: Tensor, longest: int) -> Tensor:
        """Write greedily, the whole text through the decoder for every token."""
        memory, given = self.read(x), torch.full((len(x), 1), BEGIN)
        ended = torch.zeros(len(x), dtype=torch.bool)
        for _ in range(longest):
            logits = self.logits(given, memory, x == EMPTY)[:, -1]
            logits[:, [EMPTY, BEGIN]] = float("-inf")
            token = logits.argmax(-1).masked_fill(ended, EMPTY)
            given = torch.cat([given, token.unsqueeze(1)], 1)
            ended |= token == END
            if ended.all():
                break
        return given


def pegasus(network: Network, plan: Plan) -> nn.Module:
    """Return Hugging Face's Pegasus with the very weights of a translator of ours: it is the same function."""
    from transformers import PegasusConfig, PegasusForConditionalGeneration

    head, own = network.head, network.encoder
    assert isinstance(head, WritingHead)
    sizes = {"vocab_size": head.tokens.size, "d_model": plan.width, "max_position_embeddings": LONGEST}
    for side in ("encoder", "decoder"):
        layers = {"layers": plan.depth, "ffn_dim": 2 * plan.width, "attention_heads": heads_of(plan.width)}
        sizes |= {f"{side}_{name}": value for name, value in layers.items()}
    found = PegasusForConditionalGeneration(
        PegasusConfig(
            **sizes, dropout=plan.dropout, attention_dropout=0.0, pad_token_id=EMPTY, eos_token_id=END,
            decoder_start_token_id=BEGIN, forced_eos_token_id=None, scale_embedding=True, activation_function="gelu",
        )
    )  # fmt: skip
    reader, writer = found.model.encoder, found.model.decoder
    reader.embed_tokens = nn.Embedding.from_pretrained(own.table.weight.detach().clone(), freeze=False)
    writer.embed_tokens.weight.data.copy_(head.writer.table.weight.data)
    found.lm_head.weight = writer.embed_tokens.weight
    found.final_logits_bias.copy_(head.writer.bias.data)
    for side in (reader, writer):
        side.embed_positions.weight.data.copy_(places(LONGEST, plan.width, torch.device("cpu")))
    reader.layer_norm.load_state_dict(own.body.norm.state_dict())
    writer.layer_norm.load_state_dict(head.writer.norm.state_dict())
    nothing = nn.Linear(plan.width, plan.width, bias=False)
    nn.init.eye_(nothing.weight)
    for theirs, ours in zip(reader.layers, own.body.layers, strict=True):
        _looks(theirs.self_attn, ours.attention, nothing)
        _dense(theirs.fc1, theirs.fc2, ours)
        _norms(theirs, ours, {"self_attn_layer_norm": "norm1", "final_layer_norm": "norm2"})
    for theirs, ours in zip(writer.layers, head.writer.layers, strict=True):
        _looks(theirs.self_attn, ours.written, nothing)
        _looks(theirs.encoder_attn, ours.read, head.entry)
        norms = {"self_attn_layer_norm": "norm1", "encoder_attn_layer_norm": "norm2", "final_layer_norm": "norm3"}
        _dense(theirs.fc1, theirs.fc2, ours)
        _norms(theirs, ours, norms)
    return found


def _looks(theirs: Any, ours: Any, entry: nn.Linear) -> None:
    """Copy what looks; what ours passes through on its way in is folded into their keys and values."""
    theirs.q_proj.load_state_dict(ours.ask.state_dict())
    theirs.out_proj.load_state_dict(ours.out.state_dict())
    weights, biases = ours.offer.weight.data.chunk(2), ours.offer.bias.data.chunk(2)
    for side, weight, bias in zip((theirs.k_proj, theirs.v_proj), weights, biases, strict=True):
        side.weight.data.copy_(weight @ entry.weight.data)
        side.bias.data.copy_(bias if entry.bias is None else weight @ entry.bias.data + bias)


def _stacked(theirs: Any, ours: Any) -> None:
    theirs.in_proj_weight.data.copy_(torch.cat([ours.ask.weight.data, ours.offer.weight.data]))
    theirs.in_proj_bias.data.copy_(torch.cat([ours.ask.bias.data, ours.offer.bias.data]))
    theirs.out_proj.load_state_dict(ours.out.state_dict())


def _dense(first: Any, second: Any, ours: Any) -> None:
    first.load_state_dict(ours.dense[0].state_dict())
    second.load_state_dict(ours.dense[2].state_dict())


def _norms(theirs: Any, ours: Any, names: dict[str, str]) -> None:
    for name, own in names.items():
        getattr(theirs, name).load_state_dict(getattr(ours, own).state_dict())


def plain(prepared: Prepared, plan: Plan, network: nn.Module, mixed: bool = False) -> Callable[[], int]:
    """Return one step of the loop that the introductions show, in mixed precision if asked."""
    rows = prepared.rows(_split.TRAIN)
    pairs = [
        (torch.from_numpy(x.astype(np.int64)), torch.from_numpy(y.astype(np.int64)))
        for x, y in zip(prepared.inputs.take(rows), prepared.targets.take(rows), strict=True)
    ]
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3)
    network.train()

    def together(some: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        x, y = (nn.utils.rnn.pad_sequence(list(one), batch_first=True) for one in zip(*some, strict=True))
        return x, y

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            yield from DataLoader(pairs, plan.batch, shuffle=True, drop_last=True, collate_fn=together)  # type: ignore[arg-type]

    endless = batches()

    def step() -> int:
        x, wanted = next(endless)
        given = torch.cat([torch.full_like(wanted[:, :1], BEGIN), wanted[:, :-1]], 1)
        optimiser.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            logits = (
                network(x, given)
                if isinstance(network, Plain)
                else network(input_ids=x, attention_mask=x != EMPTY, decoder_input_ids=given, use_cache=False).logits
            )
            loss = F.cross_entropy(
                logits.flatten(0, 1), wanted.flatten(), ignore_index=EMPTY, label_smoothing=plan.label_smoothing
            )
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        loss.item()
        return int((wanted != EMPTY).sum())

    return step


def writing(
    model: warmer.Model, texts: list[str], beams: int, found: dict[str, list[list[int]]]
) -> dict[str, Callable[[], int]]:
    """Return what translates all texts and notes them in `found`, by each; the plain loop has no beams."""
    head, device = model.head, torch.device("cpu")
    assert isinstance(head, WritingHead)
    network = model.network.eval()
    store = ragged([model.x.read(text) for text in texts])
    other, tutorial = pegasus(network, model.plan).eval(), Plain(network, model.plan).eval()

    def batches(size: int) -> Iterator[Tensor]:
        for rows in np.array_split(np.arange(len(texts)), max(1, len(texts) // size)):
            some = [torch.from_numpy(one.astype(np.int64)) for one in store.take(rows)]
            yield nn.utils.rnn.pad_sequence(some, batch_first=True)

    def in_fours() -> list[Any]:
        return np.array_split(np.arange(len(texts)), max(1, len(texts) // (4 * SENTENCES)))

    def ours() -> int:
        outputs = together([network(model.x.batch(store.take(rows), device)) for rows in in_fours()])
        head.memory.clear()
        found["warmer"] = [one[0][0] for one in head._found(outputs, beams)]
        return _counted(found["warmer"])

    def hugging(name: str, given: Iterator[Tensor]) -> int:
        written = []
        for x in given:
            written += other.generate(
                input_ids=x, attention_mask=x != EMPTY, num_beams=beams, do_sample=False, max_new_tokens=head.longest
            )
        found[name] = [[token for token in one.tolist() if token > END] for one in written]
        return _counted(found[name])

    def loop() -> int:
        written = [text for x in batches(SENTENCES) for text in tutorial.written(x, head.longest).tolist()]
        found["torch.nn.Transformer"] = [[token for token in one if token > END] for one in written]
        return _counted(found["torch.nn.Transformer"])

    runs = {
        "warmer": ours,
        "Pegasus": lambda: hugging("Pegasus", batches(SENTENCES)),
        "Pegasus all at once": lambda: hugging("Pegasus all at once", batches(len(texts))),
        "Pegasus one by one": lambda: hugging("Pegasus one by one", itertools.islice(batches(1), SENTENCES)),
    }
    return {**runs, "torch.nn.Transformer": loop} if beams == 1 else runs


def _counted(texts: list[list[int]]) -> int:
    """Return how many tokens were written, ends included."""
    return sum(len(one) + 1 for one in texts)


if __name__ == "__main__":
    main()
