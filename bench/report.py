#!/usr/bin/env python3
"""Turns what bench/run.sh measured into a table (Markdown), plots (SVG) and medians (JSON).

  report.py DIR [DOCUMENT.md] [--json]

DIR has results.tsv and machine.tsv; table.md, *.svg and results.json are written there. With a DOCUMENT.md the table also
replaces what stands there between two marks, and the plots go to the folder DOCUMENT beside it. Ratios are taken inside each round and the median of them is shown; the spread is the distance between the
quartiles, as part of the median. Only the standard library is used."""
import html
import json
import os
import shutil
import statistics
import sys

TITLES = {
    "loopback": "Loopback, UDP payload of 1,452 bytes, kernel offloads on",
    "large": "Loopback, UDP payload of 65,507 bytes",
    "batch": "Loopback, 1,452 bytes, without UDP_SEGMENT and UDP_GRO",
    "veth": "veth between two network namespaces, MTU 1,500, offloads on",
    "veth-bare": "veth, MTU 1,500, offloads off (tso, gso, gro, tx-udp-segmentation)",
    "ping": "64-byte exchanges on loopback, one at a time",
}
LABELS = {  # in the order of showing: each floor before what stands on it
    "floor-none": "floor: UDP alone", "floor-aes": "floor: AES-256-GCM", "skua-aes": "Skua, AES-256-GCM",
    "floor-chacha": "floor: ChaCha20-Poly1305", "skua-chacha": "Skua, ChaCha20-Poly1305",
    "floor-aes-new": "floor: AES-256-GCM, newer libsodium", "skua-aes-new": "Skua, AES-256-GCM, newer libsodium",
    "floor-aegis": "floor: AEGIS-128L", "skua-aegis": "Skua, AEGIS-128L",
    "tcp-cubic": "kernel TCP, CUBIC (no encryption)", "tcp-bbr": "kernel TCP, BBR (no encryption)",
    "tls": "TLS 1.3 over TCP, AES-256-GCM", "ngtcp2": "ngtcp2 (QUIC, GnuTLS)", "srt": "SRT file mode, AES-128-CTR",
    "udt": "UDT4 (no encryption)", "enet": "ENet (no encryption)", "sctp": "usrsctp (no encryption)",
    "floor-ping": "floor: UDP on libev", "skua-ping": "Skua, skua perf --rr",
    "skua-dgram": "Skua, skua perf --dgram",
}
NOISY = 0.05
MARKS = ("<!-- measured by bench/run.sh -->", "<!-- end of what was measured -->")


def read(directory):
    """{setting: {program: {round: measurement}}}, in the order of measuring."""
    runs = {}
    with open(os.path.join(directory, "results.tsv"), encoding="utf-8") as lines:
        for line in lines:
            setting, number, name, *rest = line.split()
            goodput, received, sent, cpu_send, cpu_recv, p50, p99 = map(float, rest)
            if p50 > 0:
                found = {"p50": p50, "p99": p99}
            elif received > 0 and sent > 0:
                found = {"goodput": goodput, "cpu_send": cpu_send * 1e9 / sent, "cpu_recv": cpu_recv * 1e9 / received}
                found["per_cpu"] = 8 / max(found["cpu_send"], found["cpu_recv"])
            else:
                continue
            runs.setdefault(setting, {}).setdefault(name, {})[int(number)] = found
    order = list(LABELS)
    return {s: dict(sorted(p.items(), key=lambda item: order.index(item[0]))) for s, p in runs.items()}


def summary(values):
    """Median, smallest, largest, and the quartiles' distance as part of the median."""
    values = sorted(values)
    middle = statistics.median(values)
    low, _, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else (middle,) * 3
    return {"median": middle, "min": values[0], "max": values[-1], "spread": (high - low) / middle if middle else 0,
            "rounds": len(values)}


def of(rounds, key):
    return summary([m[key] for m in rounds.values()])


def ratio(top, bottom, key):
    """Of two programs of one setting, round by round; None where they share no round."""
    shared = [r for r in top if r in bottom and bottom[r][key] > 0]
    return summary([top[r][key] / bottom[r][key] for r in shared]) if shared else None


def digest(runs):
    """The medians of everything, and the ratios that are shown."""
    out = {}
    for setting, programs in runs.items():
        rows = out[setting] = {}
        for name, rounds in programs.items():
            keys = next(iter(rounds.values()))
            row = rows[name] = {key: of(rounds, key) for key in keys}
            main = "p50" if "p50" in keys else "goodput"
            floor = name.replace("skua-", "floor-")
            if name.startswith("skua-") and floor in programs:
                row["of_floor"] = ratio(rounds, programs[floor], main)
                row["per_cpu_of_floor"] = ratio(rounds, programs[floor], "per_cpu") if main == "goodput" else None
            if not name.startswith(("skua-", "floor-")):
                for suite in ("aes", "aegis"):
                    skua = programs.get("skua-" + suite)
                    if skua:
                        row["skua_" + suite] = ratio(skua, rounds, main)
    return out


def with_note(text, *summaries):
    return text + (" \\*" if any(s and s["spread"] > NOISY for s in summaries) else "")


def goodput_table(rows):
    peers = any("skua_aes" in row or "skua_aegis" in row for row in rows.values())
    lines = ["| program | goodput, Gbit/s | lowest to highest | CPU s/GB: sender + receiver | Gbit per CPU s, busier side | "
             "goodput: part of its floor's | Gbit per CPU s: part of its floor's |" + (" Skua AES / AEGIS to this |" if peers else ""),
             "|---|---:|---:|---:|---:|---:|---:|" + ("---:|" if peers else "")]
    for name, row in rows.items():
        speed = row["goodput"]
        cells = [LABELS[name], with_note(f"{speed['median'] / 1e9:.2f}", speed),
                 f"{speed['min'] / 1e9:.2f} to {speed['max'] / 1e9:.2f}",
                 f"{row['cpu_send']['median']:.3f} + {row['cpu_recv']['median']:.3f}",
                 with_note(f"{row['per_cpu']['median']:.1f}", row["per_cpu"]),
                 with_note(f"**{row['of_floor']['median']:.2f}**", row["of_floor"]) if row.get("of_floor") else "",
                 with_note(f"**{row['per_cpu_of_floor']['median']:.2f}**", row["per_cpu_of_floor"])
                 if row.get("per_cpu_of_floor") else ""]
        if peers:
            times = [row.get("skua_" + suite) for suite in ("aes", "aegis")]
            cells.append(with_note(" / ".join(f"{t['median']:.2f}" if t else "-" for t in times), *times) if any(times) else "")
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def ping_table(rows):
    lines = ["| program | p50, us | lowest to highest | p99, us | p50 as multiple of the floor's |",
             "|---|---:|---:|---:|---:|"]
    for name, row in rows.items():
        part = row.get("of_floor")
        lines.append(f"| {LABELS[name]} | {with_note('%.1f' % (row['p50']['median'] / 1e3), row['p50'])} | "
                     f"{row['p50']['min'] / 1e3:.1f} to {row['p50']['max'] / 1e3:.1f} | "
                     f"{row['p99']['median'] / 1e3:.1f} | "
                     f"{with_note('**%.2f**' % part['median'], part) if part else ''} |")
    return lines


def table(machine, found, plots):
    lines = [f"{machine['date']}, {machine['processor']}, {machine['system']}, Linux {machine['kernel']}, "
             f"libsodium {machine['libsodium']}, commit {machine['commit']}. {machine['seconds']} s per measurement, "
             f"{machine['rounds']} rounds, each side on a processor of its own: {machine['pinned']}. Load when it began: "
             f"{machine['load']}.", "",
             "Medians. \\*: the quartiles lie more than 5 % of the median apart; that figure is noisy.", ""]
    for setting, rows in found.items():
        lines += [f"### {TITLES[setting]}", ""] + (ping_table(rows) if setting == "ping" else goodput_table(rows)) + [""]
        if setting in plots:
            lines += [f"![{TITLES[setting]}]({plots[setting]})", ""]
    return "\n".join(lines)


# --- plots ---

STYLE = """
.bg{fill:#ffffff}.t{fill:#24292f}.m{fill:#57606a}.g{stroke:#d0d7de}.s{stroke:#24292f}
.floor{fill:#9aa5b1}.skua{fill:#1f6fb2}.peer{fill:#c8894a}.recv{opacity:.55}
@media(prefers-color-scheme:dark){.bg{fill:#0d1117}.t{fill:#e6edf3}.m{fill:#9aa4ae}.g{stroke:#30363d}.s{stroke:#e6edf3}
.floor{fill:#6e7781}.skua{fill:#58a6ff}.peer{fill:#d29a5b}}
text{font-family:system-ui,"DejaVu Sans",sans-serif;font-size:12px}.h{font-size:14px;font-weight:600}.e{text-anchor:end}
.c{text-anchor:middle}
"""
ROW, BAR, LEFT, PANEL, GAP, TOP = 24, 14, 246, 300, 84, 62


def nice_step(top):
    """The largest round distance that puts at least three lines below `top`."""
    return max(m * 10.0 ** e for e in range(-4, 6) for m in (1, 2, 5) if m * 10.0 ** e * 3 <= top)


def panel(out, x, top, height, title):
    """Frame and grid of one diagram from 0 to `top`; gives the scale."""
    scale = PANEL / (top * 1.12)
    out.append(f'<text class="m" x="{x}" y="{TOP - 12}">{html.escape(title)}</text>')
    step = nice_step(top)
    value = 0.0
    while value * scale <= PANEL:
        at = x + value * scale
        out.append(f'<line class="g" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{TOP + height}"/>')
        out.append(f'<text class="m c" x="{at:.1f}" y="{TOP + height + 16}">{value:g}</text>')
        value += step
    return scale


def kind(name):
    return name.split("-")[0] if name.startswith(("floor-", "skua-")) else "peer"


def plot(title, rows):
    """Two diagrams side by side: goodput with its range, and CPU seconds per GB of both sides."""
    shown = {n: r for n, r in rows.items() if n != "floor-none"}  # several times all others: it would hide them
    height = ROW * len(shown)
    left, right = LEFT, LEFT + PANEL + GAP
    width = right + PANEL + 64
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {TOP + height + 54}" role="img" '
           f'aria-label="{html.escape(title)}">', f"<style>{STYLE}</style>",
           f'<rect class="bg" width="{width}" height="{TOP + height + 54}"/>',
           f'<text class="t h" x="12" y="24">{html.escape(title)}</text>']
    speed = panel(out, left, max(r["goodput"]["max"] for r in shown.values()) / 1e9, height,
                  "goodput at the receiver, Gbit/s (line: lowest to highest)")
    cpu = panel(out, right, max(r["cpu_send"]["median"] + r["cpu_recv"]["median"] for r in shown.values()), height,
                "CPU s/GB: sender (dark), receiver (pale)")
    for i, (name, row) in enumerate(shown.items()):
        y = TOP + i * ROW + (ROW - BAR) / 2
        middle, text = y + BAR / 2, y + BAR - 3
        got = row["goodput"]
        send, recv = row["cpu_send"]["median"] * cpu, row["cpu_recv"]["median"] * cpu
        out += [f'<text class="t e" x="{LEFT - 10}" y="{text}">{html.escape(LABELS[name])}</text>',
                f'<rect class="{kind(name)}" x="{left}" y="{y}" width="{got["median"] / 1e9 * speed:.1f}" height="{BAR}"/>',
                f'<line class="s" x1="{left + got["min"] / 1e9 * speed:.1f}" x2="{left + got["max"] / 1e9 * speed:.1f}" '
                f'y1="{middle}" y2="{middle}"/>',
                f'<text class="t" x="{left + got["max"] / 1e9 * speed + 5:.1f}" y="{text}">{got["median"] / 1e9:.1f}</text>',
                f'<rect class="{kind(name)}" x="{right}" y="{y}" width="{send:.1f}" height="{BAR}"/>',
                f'<rect class="{kind(name)} recv" x="{right + send:.1f}" y="{y}" width="{recv:.1f}" height="{BAR}"/>',
                f'<text class="t" x="{right + send + recv + 5:.1f}" y="{text}">{(send + recv) / cpu:.2f}</text>']
    x = LEFT
    for name, words in (("floor", "floor: UDP and AEAD, no protocol"), ("skua", "Skua"), ("peer", "other transports")):
        if name not in map(kind, shown):
            continue
        out += [f'<rect class="{name}" x="{x}" y="{TOP + height + 30}" width="12" height="12"/>',
                f'<text class="m" x="{x + 17}" y="{TOP + height + 40}">{words}</text>']
        x += 36 + 7 * len(words)
    return "\n".join(out + ["</svg>", ""])


def write(directory, name, text):
    with open(os.path.join(directory, name), "w", encoding="utf-8") as out:
        out.write(text)


def folder_of(document, name):
    return os.path.join(os.path.splitext(os.path.basename(document))[0], name)


def publish(source, document, text, plots):
    """Puts the table into the document, and the plots beside it."""
    folder = os.path.splitext(document)[0]
    os.makedirs(folder, exist_ok=True)
    for name in plots.values():
        shutil.copy(os.path.join(source, name), folder)
    with open(document, encoding="utf-8") as old:
        before, _, rest = old.read().partition(MARKS[0])
    if MARKS[1] not in rest:
        sys.exit(f"{document}: no {MARKS[0]} and {MARKS[1]} to write between")
    after = rest.partition(MARKS[1])[2]
    write(os.path.dirname(document) or ".", os.path.basename(document), before + MARKS[0] + "\n" + text + MARKS[1] + after)


def main():
    places = [a for a in sys.argv[1:] if not a.startswith("--")]
    with open(os.path.join(places[0], "machine.tsv"), encoding="utf-8") as lines:
        machine = dict(line.rstrip("\n").split("\t", 1) for line in lines)
    found = digest(read(places[0]))
    plots = {s: f"{s}.svg" for s, rows in found.items() if s != "ping" and any(n != "floor-none" for n in rows)}
    for setting, name in plots.items():
        write(places[0], name, plot(TITLES[setting], found[setting]))
    text = table(machine, found, plots)
    write(places[0], "table.md", text)
    write(places[0], "results.json", json.dumps({"machine": machine, "settings": found}, indent=1) + "\n")
    if len(places) > 1:
        publish(places[0], places[1], table(machine, found, {s: folder_of(places[1], n) for s, n in plots.items()}), plots)
    print(json.dumps({"machine": machine, "settings": found}) if "--json" in sys.argv else text)


if __name__ == "__main__":
    main()
