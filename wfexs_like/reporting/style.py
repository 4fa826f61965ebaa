"""Style: the page's only style sheet. Colours have a contrast of 4.5 or more with what is behind them."""

from __future__ import annotations

import base64
import hashlib
from typing import Final

STYLE: Final = """
:root { color-scheme: light dark; --ink: #1b2530; --soft: #526171; --line: #d8dfe7; --card: #fff; --page: #f3f5f8;
  --ok: #0f6a46; --okbg: #e0f4ea; --bad: #a1260d; --badbg: #fdeae5; --link: #0b57a4; --bar: #3f7fbf; --track: #e9eef3;
  --box: #eef4fb; --boxline: #7d9fc4; --data: #f6f2e7; --dataline: #a99a6c; --arrow: #6f7f90; }
@media screen and (prefers-color-scheme: dark) { :root { --ink: #e4eaf0; --soft: #9fadba;
  --line: #303d4a; --card: #1a222b; --page: #10161c; --ok: #7fdcb2; --okbg: #123527;
  --bad: #ff9f8a; --badbg: #40190f; --link: #7dbaff; --bar: #5b9bdb;
  --track: #26313c; --box: #1d2d3f; --boxline: #53779e; --data: #2d2a1f; --dataline: #857a56; --arrow: #8796a5; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, "Segoe UI", Roboto,
  "Liberation Sans", sans-serif; overflow-wrap: anywhere; }
main { max-width: 72rem; margin: 0 auto; padding: 2rem 1.25rem 3rem; }
h1 { margin: 0 0 .4rem; font-size: 1.85rem; line-height: 1.2 }
h2 { margin: 0 0 .8rem; font-size: 1.25rem }
h3 { margin: 1.6rem 0 .5rem; font-size: 1rem }
p { margin: .5rem 0 }
a { color: var(--link) }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; border-radius: 2px; }
.lead { max-width: 46rem; color: var(--soft); }
.verdict { display: flex; flex-wrap: wrap; gap: .3rem .8rem; align-items: baseline; margin: .2rem 0 .8rem; }
nav { margin: 0 0 1.2rem; } nav ul { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; margin: 0; padding: 0;
  list-style: none; } nav a { display: inline-block; padding: .15rem 0; }
section { margin: 1.1rem 0; padding: 1.2rem 1.4rem; background: var(--card); border: 1px solid var(--line);
  border-radius: .6rem; }
dl { margin: 0; } dl div { display: grid; grid-template-columns: 10rem minmax(0, 1fr); gap: 0 1rem; padding: .12rem 0; }
dt { color: var(--soft); } dd { margin: 0 }
h1, h2, h3, p, dd, td, li, code, pre, text { unicode-bidi: isolate; }
.scroll { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-size: .92rem; }
th { text-align: left; font-weight: 600; color: var(--soft); font-size: .8rem; white-space: nowrap; }
th, td { padding: .35rem .9rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th:last-child, td:last-child { padding-right: 0; }
tr:last-child td { border-bottom: 0; }
td { min-width: 4rem; }
.inputs td:first-child, .outputs td:first-child { min-width: 8rem; max-width: 16rem; }
.inputs td:nth-child(2), .outputs td:nth-child(2) { min-width: 11rem; }
.parameters td { min-width: 5.5rem; } .parameters td:nth-child(3) { min-width: 10rem; }
.steps th, .steps td { padding-right: .6rem; } .steps td:nth-child(-n+3) { min-width: 7rem; }
.runs td:first-child { min-width: 6rem; } .files td:nth-child(2) { min-width: 7.2rem; }
.n { white-space: nowrap; font-variant-numeric: tabular-nums; }
code, pre { font: .85em/1.5 ui-monospace, SFMono-Regular, Menlo, "DejaVu Sans Mono", monospace; }
.digest { display: inline-block; min-width: 18ch; font-size: .75em; }
pre { margin: .5rem 0; padding: .7rem .9rem; background: var(--page); border-radius: .4rem; white-space: pre-wrap;
  }
pre.bad { background: var(--badbg); color: var(--bad); }
.badge { display: inline-block; padding: .05rem .6rem; border-radius: 1rem; font-size: .84rem; font-weight: 600;
  white-space: nowrap; background: var(--track); color: var(--ink); }
.badge.ok { background: var(--okbg); color: var(--ok); } .badge.bad { background: var(--badbg); color: var(--bad); }
.soft, .left { color: var(--soft); font-size: .88rem; }
.missing { padding-left: 1.2rem; } .missing li { margin: .2rem 0 }
details { margin: .8rem 0 0; } summary { cursor: pointer; font-weight: 600; padding: .15rem 0; }
details > :not(summary) { margin-top: .5rem; }
footer { color: var(--soft); font-size: .88rem; }
svg { display: block; font: 12px/1 system-ui, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
svg text { fill: var(--ink); } svg .faint { fill: var(--soft); } svg .failing { fill: var(--bad); font-weight: 600; }
.drawing { overflow: auto; max-height: 46rem; padding: .3rem; } .drawing svg { margin: 0 auto; }
.step rect { fill: var(--box); stroke: var(--boxline); } .data rect { fill: var(--data); stroke: var(--dataline); }
.step.fail rect { fill: var(--badbg); stroke: var(--bad); stroke-width: 2; stroke-dasharray: 5 3; }
.arrow { fill: none; stroke: var(--arrow); stroke-width: 1.3; } .head { fill: var(--arrow); }
.track { fill: var(--track); } .bar { fill: var(--bar); } .grid { stroke: var(--line); }
.bar.fail { fill: url(#hatch); stroke: var(--bad); stroke-width: 1.5; } .bar.other { fill: none; stroke: var(--bar);
  stroke-width: 1.5; stroke-dasharray: 4 2; } .again { fill: var(--bar); fill-opacity: .55; }
.hatched { fill: var(--badbg); } .hatch { stroke: var(--bad); stroke-width: 3; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: 1.2rem 2rem; }
figure { margin: 0; min-width: 0; } figcaption { font-weight: 600; font-size: .88rem; margin-bottom: .3rem; }
.hidden { position: absolute; width: 0; height: 0; }
@media (max-width: 46rem) {
  main { padding: 1.1rem .7rem 2rem; } h1 { font-size: 1.45rem; } section { padding: .9rem .85rem; }
  dl div { grid-template-columns: minmax(0, 1fr); padding: .25rem 0; } dt { font-size: .82rem; }
  table, tbody, tr, td { display: block; } td { border: 0; padding: .1rem 0; min-width: 0 !important; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tr { padding: .55rem 0; border-bottom: 1px solid var(--line); } tr:last-child { border: 0; }
  td:first-child { font-weight: 600; max-width: none !important; } td:empty { display: none; }
  td[data-is]::before { content: attr(data-is) " "; color: var(--soft); font-size: .82rem; }
}
@media print {
  body { background: #fff; font-size: 11px; } main { max-width: none; padding: 0; }
  section { border: 0; border-top: 1px solid #999; border-radius: 0; padding: .6rem 0; } nav { display: none; }
  h2, h3, figcaption { break-after: avoid; } tr, figure, pre, dl div { break-inside: avoid; }
  .scroll, .drawing { overflow: visible; max-height: none; } .drawing svg { max-width: 100%; height: auto; }
  details::details-content { content-visibility: visible; display: block; } a { color: inherit; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""


def policy() -> str:
    """The page's Content-Security-Policy: nothing but this style sheet, known by its digest."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
