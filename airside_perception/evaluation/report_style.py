"""How the report looks."""

STYLE = """
:root { color-scheme: light; --ink: #1d2939; --muted: #667085; --line: #e4e7ec; --panel: #ffffff; --page: #f5f6f8; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI",
  Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 1320px; margin: 0 auto; padding: 28px 24px 60px; }
h1 { font-size: 28px; margin: 0; letter-spacing: -0.02em; }
h2 { font-size: 18px; margin: 0 0 14px; }
h2.sequence { font-size: 22px; margin: 36px 0 14px; }
h3 { font-size: 14px; margin: 0 0 8px; color: var(--muted); font-weight: 600; }
header p { color: var(--muted); margin: 4px 0 22px; }
section { background: var(--panel); border: 1px solid var(--line); border-radius: 10px; padding: 20px 22px;
  margin: 0 0 18px; overflow-x: auto; }
.cards { display: grid; grid-template-columns: repeat(5, minmax(0, 1fr)); gap: 12px; margin-bottom: 18px; }
.card { background: var(--panel); border: 1px solid var(--line); border-radius: 10px; padding: 12px 14px; }
.card b { display: block; font-size: 24px; letter-spacing: -0.02em; font-variant-numeric: tabular-nums; }
.card span { color: var(--muted); font-size: 12.5px; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(430px, 1fr)); gap: 24px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100%; }
th, td { text-align: right; padding: 5px 10px; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--muted); font-weight: 600; font-size: 12.5px; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
td.left, th.left { text-align: left; }
tr.total td { font-weight: 650; border-bottom: 2px solid var(--line); }
td.reasons { white-space: normal; text-align: left; min-width: 170px; }
.chip { display: inline-block; background: #eef1f6; border-radius: 9px; padding: 0 8px; margin: 1px 3px 1px 0;
  font-size: 12px; color: #344054; }
.dot { display: inline-block; width: 10px; height: 10px; border-radius: 3px; margin-right: 7px; }
.none { color: var(--muted); }
.note { color: var(--muted); font-size: 13px; margin: 10px 0 0; }
.pictures { display: grid; gap: 10px; margin-top: 10px; }
.pictures.two { grid-template-columns: repeat(2, minmax(0, 1fr)); }
.pictures.three { grid-template-columns: repeat(3, minmax(0, 1fr)); }
.pictures.wide { grid-template-columns: minmax(0, 0.42fr) minmax(0, 0.58fr); align-items: start; }
figure { margin: 0; }
img { width: 100%; display: block; border-radius: 6px; }
svg { vertical-align: middle; max-width: 100%; }
svg text { font: 11px system-ui, "DejaVu Sans", sans-serif; }
details summary { cursor: pointer; color: var(--muted); margin: 0 0 14px; }
@media (max-width: 800px) { .pictures.wide { grid-template-columns: 1fr; } .columns { grid-template-columns: 1fr; }
  .cards { grid-template-columns: repeat(2, minmax(0, 1fr)); } }
"""
