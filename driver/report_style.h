// How a report looks: light and dark by what the reader's system prefers, and on paper.
#pragma once

namespace nnc {

constexpr const char* report_style = R"(
:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--text:#1c2330;--soft:#5b6675;--rule:#e1e5ea;--axis:#98a2b0;
--accent:#2463d1;--on:#fff;--s0:#2463d1;--s1:#d9670b;--s2:#178a5a;--s3:#8a3fc0;--s4:#c02660;--s5:#5b6675}
@media (prefers-color-scheme:dark){:root{--page:#11151b;--card:#1a2029;--text:#e4e8ee;--soft:#9aa6b5;--rule:#2c3542;
--axis:#66728a;--accent:#5b9bff;--on:#0c1016;--s0:#6aa5ff;--s1:#ffa14d;--s2:#4cc38a;--s3:#c792f5;--s4:#ff7fa6;
--s5:#9aa6b5}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1180px;margin:0 auto;padding:28px 20px 48px}
h1{font-size:28px;line-height:1.2;margin:0;overflow-wrap:anywhere}
h2{font-size:19px;margin:36px 0 12px}
p{margin:4px 0}
.sub,.note,footer{color:var(--soft)}
.note{font-size:13px;margin:6px 0 0;overflow-wrap:anywhere}
footer{margin-top:40px;font-size:13px}
.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(165px,1fr));gap:10px;margin:20px 0 0}
.facts div,figure,.card{background:var(--card);border:1px solid var(--rule);border-radius:10px}
.facts div{padding:10px 14px}
.facts dt{color:var(--soft);font-size:13px}
.facts dd{margin:0;font-size:17px;font-weight:600;overflow-wrap:anywhere}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,430px),1fr));gap:14px}
.small{grid-template-columns:repeat(auto-fill,minmax(min(100%,260px),1fr))}
figure{margin:0;padding:14px 16px;min-width:0}
figcaption{font-weight:600;overflow-wrap:anywhere}
.legend{display:flex;flex-wrap:wrap;gap:2px 16px;margin:2px 0 6px;font-size:13px;color:var(--soft)}
.legend span{overflow-wrap:anywhere}
.legend i{display:inline-block;width:14px;height:4px;border-radius:2px;margin-right:6px;vertical-align:middle}
svg{display:block;width:100%;height:auto;margin:4px auto 0;font:12px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
svg text{fill:var(--soft)}
svg .on{fill:var(--on)}
.grid{stroke:var(--rule)}.axis{stroke:var(--axis)}.mark{stroke:var(--axis);stroke-dasharray:4 4}
.line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}.dashed{stroke-dasharray:6 4}
.dots{fill:none;stroke-width:7;stroke-linecap:round}.many{stroke-width:4.5;stroke-opacity:.45}
.bar{fill:var(--accent);fill-opacity:.8}.cell{fill:var(--accent);stroke:var(--rule)}
path.s0{stroke:var(--s0)}path.s1{stroke:var(--s1)}path.s2{stroke:var(--s2)}path.s3{stroke:var(--s3)}
path.s4{stroke:var(--s4)}path.s5{stroke:var(--s5)}
i.s0{background:var(--s0)}i.s1{background:var(--s1)}i.s2{background:var(--s2)}i.s3{background:var(--s3)}
i.s4{background:var(--s4)}i.s5{background:var(--s5)}
.card{overflow-x:auto;padding:4px 0}
table{border-collapse:collapse;width:100%;font-size:14px;font-variant-numeric:tabular-nums}
th,td{padding:6px 16px;text-align:left;vertical-align:top;border-bottom:1px solid var(--rule);overflow-wrap:anywhere;
min-width:70px}
th{color:var(--soft);font-weight:600;white-space:nowrap}
tr:last-child td{border-bottom:0}
.n{text-align:right;white-space:nowrap}
pre{margin:0;padding:10px 16px;font:13px/1.5 ui-monospace,"SF Mono",Menlo,Consolas,monospace;white-space:pre-wrap;
overflow-wrap:anywhere}
@media (max-width:560px){main{padding:18px 12px 32px}h1{font-size:23px}th,td{padding:6px 10px}
.facts{grid-template-columns:repeat(2,minmax(0,1fr))}.facts dd{font-size:15px}figure{padding:12px 10px}}
@media print{:root{color-scheme:light;--page:#fff;--card:#fff;--text:#000;--soft:#444;--rule:#ccc;--axis:#777;
--accent:#2463d1;--on:#fff;--s0:#2463d1;--s1:#d9670b;--s2:#178a5a;--s3:#8a3fc0;--s4:#c02660;--s5:#5b6675}
main{max-width:none;padding:0}body{font-size:12px}figure,.facts div{break-inside:avoid}h2{break-after:avoid}
.charts{grid-template-columns:1fr 1fr}.small{grid-template-columns:1fr 1fr 1fr}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
)";

}  // namespace nnc
