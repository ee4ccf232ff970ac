#!/usr/bin/env python3
"""Sums what bench/profile.sh sampled by part of the program: profile.py DIR ROOT. Prints a Markdown table."""
import json
import os
import sys

AEAD = ("aead", "encrypt_detached", "decrypt_detached", "crypto_verify", "aegis", "poly1305", "chacha20", "stream_")
PARTS = ["AEAD (libsodium)", "header mask (SipHash, libsodium)", "kernel", "C library: copies and clocks", "libev"]


def sources(path, root):
    """{symbol: folder of its source below the project}"""
    found = {}
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            words = line.split()
            if len(words) >= 4 and words[1] in "tTwW" and root in words[3]:
                found[words[2]] = os.path.dirname(os.path.relpath(words[3].rsplit(":", 1)[0], root))
    return found


def part(dso, symbol, folders):
    bare = symbol.split("] ", 1)[-1].split(" ")[0].split(".")[0]
    if symbol.startswith("[k]"):
        return "kernel"
    if bare in folders:
        return folders[bare]
    if "shorthash" in bare or "siphash" in bare:
        return PARTS[1]
    if "sodium" in dso or any(word in bare for word in AEAD):
        return PARTS[0] if any(word in bare for word in AEAD) else "rest of libsodium"
    if "libev" in dso:
        return "libev"
    return PARTS[3] if "libc" in dso or "vdso" in dso else "rest"


def shares(path, folders):
    """({part: share of the samples}, [(share, function of src/)])"""
    counts, symbols = {}, []
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            cells = [c.strip() for c in line.split("|")]
            if len(cells) < 3 or not cells[0].isdigit():
                continue
            name = part(cells[1], cells[2], folders)
            counts[name] = counts.get(name, 0) + int(cells[0])
            if name.startswith("src/"):
                symbols.append((int(cells[0]), cells[2].split("] ", 1)[-1].split()[0]))
    total = sum(counts.values())
    return {name: count / total for name, count in counts.items()}, sorted(((c / total, s) for c, s in symbols), reverse=True)


def main():
    out, root = sys.argv[1:3]
    folders = sources(os.path.join(out, "symbols"), root)
    with open(os.path.join(out, "send.json"), encoding="utf-8") as text:
        run = json.load(text)
    sent = run["client"]["conn"]["packets_sent"]
    cpu = [run[side]["cpu_user_seconds"] + run[side]["cpu_system_seconds"] for side in ("client", "server")]
    each = [seconds * 1e9 / sent for seconds in cpu]
    (send, top_send), (recv, top_recv) = (shares(os.path.join(out, side + ".txt"), folders) for side in ("send", "recv"))
    print(f"{run['client']['conn']['cipher']}, {run['goodput_bps'] / 1e9:.1f} Gbit/s, {sent:,} packets of "
          f"{run['client']['conn']['bytes_sent'] / sent:,.0f} bytes, under perf\n")
    print("| part | sender, ns per packet | receiver, ns per packet |\n|---|---:|---:|")
    names = sorted(set(send) | set(recv), key=lambda n: -(send.get(n, 0) * each[0] + recv.get(n, 0) * each[1]))
    for name in names:
        values = [send.get(name, 0) * each[0], recv.get(name, 0) * each[1]]
        if max(values) >= max(each) / 200:
            print(f"| {name} | {values[0]:.0f} | {values[1]:.0f} |")
    print(f"| **all** | **{each[0]:.0f}** | **{each[1]:.0f}** |")
    for side, whole, top in (("sender", each[0], top_send), ("receiver", each[1], top_recv)):
        print(f"\nThe {side}'s own functions, ns: " + ", ".join(f"`{name}` {share * whole:.0f}" for share, name in top[:12]))


if __name__ == "__main__":
    main()
