// The JavaScript side of tests/javascript.rs: one question a line on stdin, one answer a line on stdout.
// A question is {"op": …}; texts travel as UTF-16 units, so that lone surrogates survive.
import readline from 'node:readline';
import {decode, encode, jsonText} from '../../ipc-testkit/node/codec.mjs';

const text = (units) => { let s = ''; for (let i = 0; i < units.length; i += 4096) s += String.fromCharCode(...units.slice(i, i + 4096)); return s; };
const units = (s) => Array.from({length: s.length}, (_, i) => s.charCodeAt(i));
const maybe = (s) => (s === undefined ? null : units(s));
const thrown = (e) => ({throws: e.name, ...(e.code === undefined ? {} : {code: e.code})});
const ops = {
    // the text of a double given by its bits
    number: (q) => String(new Float64Array(new BigUint64Array([BigInt('0x' + q.bits)]).buffer)[0]),
    // Number(text), as bits
    to_number: (q) => { const n = Number(text(q.text)); return Number.isNaN(n) ? 'NaN' : new BigUint64Array(new Float64Array([n]).buffer)[0].toString(16); },
    // JSON.parse then JSON.stringify
    json: (q) => units(JSON.stringify(JSON.parse(text(q.text)))),
    // the tagged form of a JSON text's value, and the short JSON text
    describe: (q) => { const v = JSON.parse(text(q.text)); return [units(JSON.stringify(encode(v))), maybe(jsonText(v))]; },
    // a tagged value: its own tagged form and its JSON text
    tagged: (q) => { const v = decode(q.value); return [units(JSON.stringify(encode(v))), maybe(JSON.stringify(v))]; },
    // a tagged value through Buffer.from
    buffer: (q) => Buffer.from(decode(q.value), q.encoding).toString('hex')
};
const rl = readline.createInterface({input: process.stdin, crlfDelay: Infinity});
rl.on('line', (line) => {
    let answer;
    try { const q = JSON.parse(line); answer = {is: ops[q.op](q)}; } catch (e) { answer = thrown(e); }
    process.stdout.write(JSON.stringify(answer) + '\n');
});
