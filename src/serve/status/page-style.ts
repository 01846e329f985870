/** How the status page looks: one sheet, by day and by night, on a phone and on a desk. No font and no image is fetched. */

export const STYLE = `
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#1b2027;--dim:#5c6672;--line:#e2e6eb;--soft:#eef1f4;--go:#1f5fcb;--ok:#1f7044;--warn:#8a5200;--bad:#b3271f;--okbg:#e4f3ea;--warnbg:#fdf0db;--badbg:#fbe5e3;--gobg:#e6eefc}
@media(prefers-color-scheme:dark){:root{--bg:#12161b;--card:#1a2027;--ink:#e5e9ee;--dim:#9aa5b1;--line:#2b333c;--soft:#242b33;--go:#6ba1ff;--ok:#57c08a;--warn:#e5aa4e;--bad:#ff8078;--okbg:#173124;--warnbg:#35290f;--badbg:#3b1b19;--gobg:#182843}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;-webkit-text-size-adjust:100%}
.wrap{max-width:66rem;margin:0 auto;padding:1.5rem 1.25rem 3rem}
a{color:var(--go);text-decoration:none}a:hover{text-decoration:underline}
:focus-visible{outline:2px solid var(--go);outline-offset:2px;border-radius:4px}
header{display:flex;flex-wrap:wrap;align-items:center;gap:.5rem 1rem;margin-bottom:1.25rem}
h1{font-size:1.35rem;line-height:1.2;margin:0;letter-spacing:-.01em;overflow-wrap:anywhere}
h2{font-size:.8rem;letter-spacing:.06em;text-transform:uppercase;color:var(--dim);font-weight:600;margin:2.25rem 0 .75rem}
h3{font-size:1.08rem;line-height:1.3;margin:0;overflow-wrap:anywhere;letter-spacing:-.005em}
h4{font-size:.95rem;margin:0 0 .6rem;font-weight:600;overflow-wrap:anywhere}
.pill{font-size:.82rem;font-weight:600;padding:.2rem .7rem;border-radius:99px;white-space:nowrap}
.pill.ok{color:var(--ok);background:var(--okbg)}.pill.warn{color:var(--warn);background:var(--warnbg)}.pill.bad{color:var(--bad);background:var(--badbg)}.pill.go{color:var(--go);background:var(--gobg)}
.dim{color:var(--dim)}small,.small{font-size:.86rem}
.card{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:1.1rem 1.25rem;margin:0 0 .8rem}
.run+.run{margin-top:-.1rem}#running:not(:empty){margin-bottom:1.5rem}.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.5rem,1fr));gap:1px;background:var(--line);border:1px solid var(--line);border-radius:12px;overflow:hidden;margin:0}
.facts div{background:var(--card);padding:.8rem 1.1rem}.facts dt{font-size:.82rem;color:var(--dim)}.facts dd{margin:0;font-size:1.3rem;font-weight:600;letter-spacing:-.015em;font-variant-numeric:tabular-nums}
.notes{list-style:none;margin:0 0 1.25rem;padding:0}.notes li{padding:.65rem 1rem;border-radius:10px;margin-bottom:.5rem;overflow-wrap:anywhere}
.notes .warn{background:var(--warnbg)}.notes .bad{background:var(--badbg)}.notes b{margin-right:.3em}
.top{display:flex;flex-wrap:wrap;justify-content:space-between;align-items:baseline;gap:.15rem 1rem}
.top>:first-child{min-width:0}
.meta{margin:.2rem 0 0;color:var(--dim);font-size:.92rem;font-variant-numeric:tabular-nums}.meta b{color:var(--ink);font-weight:600}
.dot-sep>span{display:inline-block}.dot-sep>span:not(:last-child)::after{content:"·";margin:0 .45em;color:var(--dim);font-weight:400}
.bar{display:block;width:100%;height:7px;border-radius:4px;margin:.55rem 0 .35rem}
.bar rect{fill:var(--ok)}.bar .rest{fill:var(--soft)}.bar.warn rect{fill:var(--warn)}.bar.bad rect{fill:var(--bad)}.bar.go rect{fill:var(--go)}.bar.warn .rest,.bar.bad .rest,.bar.go .rest{fill:var(--soft)}
.bar.thin{height:4px}
figure{margin:.9rem 0 0}.plot{display:block;width:100%;height:6.2rem}
.plot .area{fill:var(--go);opacity:.12}.plot .line{fill:none;stroke:var(--go);stroke-width:1.8;stroke-linejoin:round;vector-effect:non-scaling-stroke}.plot .new{fill:var(--dim);opacity:.5}.plot .new:hover{opacity:1}
figcaption{display:flex;margin-top:.2rem;justify-content:space-between;gap:.75rem;font-size:.78rem;color:var(--dim);font-variant-numeric:tabular-nums}figcaption span:nth-child(2){text-align:center}
details{margin-top:.9rem;border-top:1px solid var(--line);padding-top:.7rem}
summary{cursor:pointer;color:var(--go);font-size:.92rem;width:max-content;max-width:100%}
.use{margin:.75rem 0 0}.use p{margin:0 0 .3rem;font-size:.86rem;color:var(--dim);overflow-wrap:anywhere}.use p b{color:var(--ink)}
.code{position:relative}
pre{margin:0;padding:.65rem .8rem;background:var(--soft);border-radius:8px;font:.84rem/1.55 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;white-space:pre-wrap;overflow-wrap:anywhere;user-select:all}
button{display:none;position:absolute;top:.35rem;right:.35rem;font:600 .78rem/1 inherit;font-family:inherit;color:var(--dim);background:var(--card);border:1px solid var(--line);border-radius:6px;padding:.4rem .55rem;cursor:pointer}
.js button{display:block}.js pre{padding-right:4.2rem}button:hover{color:var(--ink)}
.zones{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,19rem),1fr));gap:.8rem}
.zones .card{margin:0}
.peer{padding:.55rem 0;border-top:1px solid var(--line)}.peer:first-of-type{border-top:0;padding-top:0}.peer:last-child{padding-bottom:0}
.peer .top{font-size:.94rem}.peer .top b{font-weight:600;overflow-wrap:anywhere}.peer p{margin:0;font-size:.84rem;color:var(--dim);overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
.rows{padding:.25rem 1.25rem}.rows .row{display:grid;grid-template-columns:minmax(0,2.4fr) minmax(0,1fr) minmax(0,1fr) minmax(0,1.2fr);gap:.1rem 1rem;padding:.6rem 0;border-top:1px solid var(--line);align-items:baseline;font-variant-numeric:tabular-nums}
.rows .row:first-child{border-top:0}.rows b{font-weight:600;overflow-wrap:anywhere}.rows span{color:var(--dim);font-size:.9rem}.rows .warn{color:var(--warn)}.rows .bad{color:var(--bad)}
.care{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,14rem),1fr));gap:.8rem}.care .card{margin:0}
footer{margin-top:2.5rem;color:var(--dim);font-size:.86rem;display:flex;flex-wrap:wrap;gap:.3rem 1.25rem;overflow-wrap:anywhere}
@media(max-width:40rem){.wrap{padding:1.1rem .9rem 2.5rem}.card{padding:1rem}.facts{grid-template-columns:1fr 1fr}.facts div{padding:.65rem .9rem}.facts dd{font-size:1.12rem}.rows{padding:.1rem 1rem}.rows .row{grid-template-columns:1fr 1fr}.rows .row b{grid-column:1/-1}.rows .row span:last-child{grid-column:1/-1}figcaption span:nth-child(2){display:none}}
@media print{button{display:none!important}body{background:#fff}}
`.trim();

/**
 * Copies lines, and brings what is running and what has changed into the page as it happens. Without it the page says the same, as of
 * when it was loaded. A page that nobody sees does not listen: a browser opens six connections to a server, and no seventh tab.
 */
export const SCRIPT = `
document.documentElement.classList.add('js');
document.addEventListener('click',async e=>{const b=e.target.closest('button');if(!b)return;const pre=b.parentNode.querySelector('pre');
try{await navigator.clipboard.writeText(pre.textContent)}catch{getSelection().selectAllChildren(pre);if(!document.execCommand('copy'))return}
b.textContent='Copied';setTimeout(()=>b.textContent='Copy',1500)});
let events,known=document.getElementById('state').dataset.version;
const running=e=>{document.getElementById('running').innerHTML=JSON.parse(e.data)};
const state=async e=>{if(e.data===known)return;known=e.data;
const answer=await fetch(location.href,{cache:'no-store'});if(!answer.ok)return;
const page=new DOMParser().parseFromString(await answer.text(),'text/html');
const open=[...document.querySelectorAll('details[open]')].map(d=>d.id);
for(const id of['summary','state'])document.getElementById(id).replaceWith(page.getElementById(id));
for(const id of open)document.getElementById(id)?.setAttribute('open','')};
const listen=()=>{events?.close();if(document.hidden)return;events=new EventSource('/events');
events.addEventListener('running',running);events.addEventListener('state',state)};
document.addEventListener('visibilitychange',listen);listen();
`.trim();
