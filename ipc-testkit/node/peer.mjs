// Black-box node-ipc peer: runs a real node-ipc client and/or server of a chosen pinned version, loaded unchanged from NODE_IPC_ROOT.
//   node peer.mjs '<json options>'      options, lines and commands: see ../PROTOCOL.md
// stdout: one JSON object a line.  stdin: one JSON command a line; the process exits when stdin closes.
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import {createRequire} from 'node:module';
import {fileURLToPath, pathToFileURL} from 'node:url';
import {decode, encode, jsonText, sockets, ordinal} from './codec.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const ALLOWED = new Set(['9.2.1', '12.0.0', '14.0.0']);
const opt = JSON.parse(process.argv[2] || '{}');
const version = opt.version || '9.2.1';
if (!ALLOWED.has(version)) { console.error('version not allowed: ' + version); process.exit(64); }
const root = opt.root || process.env.NODE_IPC_ROOT || path.join(here, 'installed');
if (opt.cwd) process.chdir(opt.cwd);
if (opt.umask !== undefined) process.umask(opt.umask);

const started = performance.now();
function out(o) {
    const now = performance.now();
    o.t = Math.round((now - started) * 10) / 10;
    o.e = Math.round((performance.timeOrigin + now) * 10) / 10;
    const b = Buffer.from(JSON.stringify(o) + '\n');
    let off = 0;
    for (let tries = 0; off < b.length && tries < 100000; tries++) {
        try { off += fs.writeSync(1, b, off); } catch (err) { if (err.code === 'EPIPE') process.exit(0); if (err.code !== 'EAGAIN') throw err; }
    }
}
process.on('uncaughtException', (err, origin) => {
    out({ev: 'uncaught', origin, error: encode(err)});
    if (!opt.surviveUncaught) process.exit(70);
});
process.on('warning', (w) => out({ev: 'warning', name: w.name, message: w.message}));
setTimeout(() => { out({ev: 'lifetime_over'}); process.exit(71); }, opt.maxLifetimeMs || 120000).unref();

// ---- load the pinned package, and check that it is the one asked for
const dir = path.join(root, 'v' + version, 'node_modules', 'node-ipc');
const pkg = JSON.parse(fs.readFileSync(path.join(dir, 'package.json'), 'utf8'));
if (pkg.name !== 'node-ipc' || pkg.version !== version) { console.error('wrong package installed: ' + pkg.name + '@' + pkg.version); process.exit(65); }
const require_ = createRequire(import.meta.url);
let mod;
if (version === '9.2.1') mod = require_(path.join(dir, 'node-ipc.js'));
else if (version === '12.0.0' && opt.module === 'cjs') mod = require_(path.join(dir, 'node-ipc.cjs')).default;
else mod = (await import(pathToFileURL(path.join(dir, 'node-ipc.js')))).default;
const instances = [mod];
const inst = (c) => instances[(c && c.inst) || 0];

function setConfig(ipc, cfg) {
    for (const [k, raw] of Object.entries(cfg || {})) {
        const v = decode(raw);
        if (k === 'interface' && v && typeof v === 'object') Object.assign(ipc.config.interface, v);
        else ipc.config[k] = v;
    }
}
mod.config.silent = true;
if (opt.captureLog) { mod.config.silent = false; mod.config.logInColor = false; mod.config.logger = (s) => out({ev: 'log', text: encode(String(s))}); }
setConfig(mod, opt.config);

// ---- event taps
const LIFE = new Set(['start', 'connect', 'disconnect', 'destroy', 'close', 'socket.disconnected', 'error', 'data']);
let lastSocket;                       // last socket or rinfo seen as an event argument of a server
const rinfos = [];
function encArg(a, i, src) {
    if (src === 'server' && i > 0 && a && typeof a === 'object' && typeof a.address === 'string' && typeof a.port === 'number' && typeof a.write !== 'function') {
        const r = {$t: 'rinfo', address: a.address, port: a.port};
        for (const k of ['family', 'size', 'id']) if (a[k] !== undefined) r[k] = encode(a[k]);
        if (!rinfos.includes(a)) rinfos.push(a);
        r.n = rinfos.indexOf(a);
        return r;
    }
    return encode(a);
}
function report(src, id, via, type, args) {
    if (src === 'server') {
        for (const a of args) if (a && typeof a === 'object' && typeof a.write === 'function' && typeof a.on === 'function' && typeof a.destroy === 'function') ordinal(a);
        const s = args.length > 1 ? args[1] : (type === 'connect' ? args[0] : undefined);
        if (s && typeof s === 'object') lastSocket = s;
    }
    // the first argument of an application event is its data
    const line = {ev: 'event', src, type: encode(type)};
    if (id !== undefined) line.id = encode(id);
    if (via !== 'publish') line.via = via;
    line.args = args.map((a, i) => encArg(a, i, src));
    if (!(LIFE.has(type) && type !== 'data' && type !== 'error')) { const j = jsonText(args[0]); if (j !== undefined && !(args[0] instanceof Error) && args[0] !== null && typeof args[0] === "object" && !Buffer.isBuffer(args[0]) && !(args[0] instanceof Error)) line.data_json = j; }
    out(line);
}
const taps = [];
function echo(emitter, src, type, args) {
    if (!opt.echo || LIFE.has(type)) return;
    try { if (src === 'server') emitter.emit(args[1], type, args[0]); else emitter.emit(type, args[0]); } catch (err) { out({ev: 'echo_error', error: encode(err)}); }
}
function attach(emitter, src, id) {
    if (taps.includes(emitter)) return;
    taps.push(emitter);
    // tap 'publish' (default): every event the library publishes, handler or none, is reported, then published as usual.
    if ((opt.tap || 'publish') === 'publish') for (const name of ['publish', 'trigger']) {
        const orig = emitter[name];
        if (typeof orig !== 'function') continue;
        emitter[name] = function (type, ...args) {
            // the server's own 'close' handler publishes 'socket.disconnected' before any user handler of 'close' runs
            const late = src === 'server' && type === 'close';
            if (!late) report(src, id, 'publish', type, args);
            try { return orig.call(this, type, ...args); } catch (err) { out({ev: 'publish_threw', type: encode(type), error: encode(err)}); throw err; } finally { if (late) report(src, id, 'publish', type, args); echo(emitter, src, type, args); }
        };
    }
    // real handlers: opt.on = list of types, opt.wildcard = true for a '*' handler (breaks 9.2.1 on node >= 10: that is a fact of 9.2.1)
    const wild = () => { if (opt.wildcard) emitter.on('*', (...all) => report(src, id, '*', all[0], all.slice(1))); };
    const typed = () => { for (const t of opt.on || []) emitter.on(t, (...args) => report(src, id, 'typed', t, args)); };
    if (opt.typedFirst === false) { wild(); typed(); } else { typed(); wild(); }
    for (const w of opt.when || []) {
        if (w.src && w.src !== src) continue;
        let n = 0;
        emitter.on(w.type, () => { n++; if (!w.nth || n === w.nth) for (const c of w.do) { const r = run(c); out({ev: 'when', type: w.type, cmd: c.cmd, ...r}); } });
    }
    if (opt.echoRaw) emitter.on('data', (data, sock) => { if (src === 'server') emitter.emit(sock, data); else emitter.emit(data); });
    if (opt.trace && src === 'client' && emitter.socket) emitter.socket.on('data', (d) => out({ev: 'chunk', n: d.length}));
}
const cb = (what, extra) => (...a) => out({ev: 'callback', what, ...extra, nargs: a.length});

// ---- commands
function target(c) {
    if (c.to && typeof c.to === 'object') return c.to.$t ? decode(c.to) : {...c.to};   // {address,port}: an UDP target
    if (c.rinfo !== undefined) return rinfos[c.rinfo];
    if (c.socket === undefined || c.socket === 'last') return lastSocket;
    return sockets[c.socket];
}
function dump(ipc) {
    const r = {of: {}, server: false};
    for (const k of Object.keys(ipc.of)) {
        const c = ipc.of[k];
        r.of[k] = {
            id: encode(c.id), path: encode(c.path), port: encode(c.port), retriesRemaining: encode(c.retriesRemaining),
            explicitlyDisconnected: encode(c.explicitlyDisconnected),
            socket: c.socket ? {destroyed: c.socket.destroyed, connecting: c.socket.connecting} : false,
            queued: c.queue ? (c.queue.contents || []).length : null
        };
    }
    if (ipc.server) {
        const s = ipc.server;
        r.server = {
            path: encode(s.path), port: encode(s.port), udp4: encode(s.udp4), udp6: encode(s.udp6), sockets: s.sockets.length,
            listening: s.server ? (s.server.listening !== undefined ? s.server.listening : null) : false,
            maxConnections: s.server ? encode(s.server.maxConnections) : null
        };
        if (s.server && s.server.address) { try { r.server.address = encode(s.server.address()); } catch (e) { r.server.address = {$t: 'error', message: e.message}; } }
    }
    return r;
}
function args(list, what) { return (list || []).map((a) => (a && a.$t === 'callback' ? cb(what, {}) : decode(a))); }
function exec(c) {
    const ipc = inst(c);
    const hasData = Object.hasOwn(c, 'data');
    switch (c.cmd) {
        case 'emit': {
            const type = decode(c.type), data = hasData ? decode(c.data) : undefined;
            const isServer = c.as ? c.as === 'server' : !(c.id !== undefined || (!ipc.server && Object.keys(ipc.of).length));
            if (isServer) return ipc.server.emit(target(c), type, data);
            const client = ipc.of[c.id !== undefined ? c.id : (opt.id || 'peer')];
            return hasData ? client.emit(type, data) : client.emit(type);
        }
        case 'batch': return {$raw: c.list.map((x) => run({inst: c.inst, ...x}))};           // several commands in one turn of the event loop
        case 'emitMany': { let r; for (const m of c.list) r = exec({...c, cmd: 'emit', list: undefined, ...m}); return r; }
        case 'broadcast': return hasData ? ipc.server.broadcast(decode(c.type), decode(c.data)) : ipc.server.broadcast(decode(c.type));
        case 'disconnect': return ipc.disconnect(c.id !== undefined ? c.id : (opt.id || 'peer'));
        case 'stop': return ipc.server.stop();
        case 'start': if (ipc.server) attach(ipc.server, 'server'); return ipc.server.start();
        case 'setConfig': return setConfig(ipc, c.config);
        case 'connectTo': {
            const list = c.args ? args(c.args, 'connectTo') : [c.id, c.path, cb('connectTo', {id: c.id})].filter((x) => x !== undefined);
            const r = ipc.connectTo(...list);
            for (const k of Object.keys(ipc.of)) attach(ipc.of[k], 'client', k);
            return r;
        }
        case 'connectToNet': {
            const list = c.args ? args(c.args, 'connectToNet') : [c.id, c.host, c.port, cb('connectToNet', {id: c.id})].filter((x) => x !== undefined);
            const r = ipc.connectToNet(...list);
            for (const k of Object.keys(ipc.of)) attach(ipc.of[k], 'client', k);
            return r;
        }
        case 'serve': { const l = c.args ? args(c.args, 'serve') : [c.path, cb('serve', {})].filter((x) => x !== undefined); ipc.serve(...l); attach(ipc.server, 'server'); return undefined; }
        case 'serveNet': { const l = c.args ? args(c.args, 'serveNet') : [c.host, c.port, c.udp, cb('serveNet', {})].filter((x) => x !== undefined); ipc.serveNet(...l); attach(ipc.server, 'server'); return undefined; }
        case 'on': { const e = c.on_server || (!c.id && ipc.server) ? ipc.server : ipc.of[c.id || opt.id || 'peer']; const src = e === ipc.server ? 'server' : 'client'; e[c.once ? 'once' : 'on'](c.type, (...a) => (c.type === '*' ? report(src, c.id, c.label || '*', a[0], a.slice(1)) : report(src, c.id, c.label || 'typed', c.type, a))); return undefined; }
        case 'off': { const e = c.on_server || (!c.id && ipc.server) ? ipc.server : ipc.of[c.id || opt.id || 'peer']; e.off(c.type, '*'); return undefined; }
        case 'destroySocket': return void target(c).destroy();
        case 'endSocket': return void target(c).end();
        case 'resetSocket': return void target(c).resetAndDestroy();
        case 'setSocketId': target(c).id = decode(c.value); return undefined;
        case 'pushSocket': ipc.server.sockets.push(c.to ? {...c.to} : target(c)); return ipc.server.sockets.length;
        case 'newInstance': { const I = new (mod.IPC)(); I.config.silent = true; setConfig(I, c.config); instances.push(I); return instances.length - 1; }
        case 'sleepBlock': { const end = Date.now() + c.ms; while (Date.now() < end) { /* hold the event loop */ } return undefined; }
        case 'state': return {$raw: dump(ipc)};
        case 'config': { const o = {}; for (const k of Object.keys(ipc.config)) o[k] = encode(ipc.config[k]); return {$raw: o}; }
        case 'log': { ipc.log(...args(c.args)); return undefined; }
        case 'get': { let o = ipc; for (const k of c.path) o = o[k]; return o; }
        case 'publishStart': ipc.server.publish('start'); return undefined;          // as the library does when listening starts
        case 'now': return undefined;
        case 'exit': process.exit(0);
        // falls through
        default: throw new Error('unknown command ' + c.cmd);
    }
}
function run(c) {
    try {
        const v = exec(c);
        if (v && v.$raw) return {ok: true, value: v.$raw};
        return {ok: true, value: v && typeof v === 'object' && v.config ? {$t: 'ipc-object'} : encode(v)};
    } catch (err) { return {ok: false, error: encode(err)}; }
}

// ---- roles
let readyDone = false;
function ready(extra) { if (!readyDone) { readyDone = true; out({ready: true, version, node: process.versions.node, pid: process.pid, ...extra}); } }
const net_ = opt.transport && opt.transport !== 'unix';
try {
    if (opt.role === 'server') {
        const udp = opt.transport === 'udp4' || opt.transport === 'udp6';
        const callback = () => { out({ev: 'callback', what: net_ ? 'serveNet' : 'serve'}); };
        if (net_) mod.serveNet(...[opt.host, opt.port, udp ? opt.transport : undefined, callback].filter((x) => x !== undefined));
        else mod.serve(...[opt.path, callback].filter((x) => x !== undefined));
        attach(mod.server, 'server');
        mod.server.on('start', () => setImmediate(() => ready({address: (() => { try { return mod.server.server.address(); } catch { return null; } })()})));
        if (opt.autostart !== false) mod.server.start(); else ready();
    } else if (opt.role === 'client') {
        if (opt.id === undefined) opt.id = 'peer';
        const r = run({cmd: net_ ? 'connectToNet' : 'connectTo', id: opt.id, path: opt.path, host: opt.host, port: opt.port});
        ready(r.ok ? {} : {error: r.error});
    } else ready();
} catch (err) { out({ev: 'setup_error', error: encode(err)}); ready({failed: true}); }

const rl = readline.createInterface({input: process.stdin, crlfDelay: Infinity});
rl.on('line', (line) => {
    if (!line.trim()) return;
    let c;
    try { c = JSON.parse(line); } catch (err) { out({ev: 'result', ok: false, error: {$t: 'error', message: 'bad command line: ' + err.message}}); return; }
    const r = run(c);
    out({ev: 'result', cmd: c.cmd, n: c.n, ...r});
});
rl.on('close', () => process.exit(0));
