// Requests and replies over node-ipc 9 to 14, as the Rust crates make and answer them. A target is `ipc.server` or
// `ipc.of.<id>`. A request is the event of its name with {$request, params}, a reply the event '$reply' with {$reply, result}
// or {$reply, error: {code, message, data}}.
'use strict';
const {randomBytes} = require('node:crypto');

// A text for whatever was thrown, which may be anything.
function textOf(thrown) {
    try {
        return String(thrown instanceof Error ? thrown.message : thrown);
    } catch {
        return 'what was thrown cannot be written';
    }
}

const emit = (target, socket, name, data) => (socket ? target.emit(socket, name, data) : target.emit(name, data));

// Answers requests of a name with what `answer(params, socket)` returns, or its promise; what it throws is the error. Events of
// that name that are no requests are left alone.
function onRequest(target, name, answer) {
    target.on(name, async (data, socket) => {
        const token = data && data.$request;
        if (typeof token !== 'string') return;
        const reply = {$reply: token};
        try {
            reply.result = await answer(data.params, socket);
        } catch (error) {
            const {code, data} = error instanceof Error ? error : {};
            reply.error = {code: textOf(code ?? 'ERR_IPC_HANDLER'), message: textOf(error), data};
        }
        // Whoever has asked may be gone by now.
        if (socket && socket.destroyed) return;
        const send = (reply) => emit(target, socket, '$reply', reply);
        try {
            send(reply);
        } catch (cause) {
            // What is no JSON, a circle or a BigInt, or is too large here.
            const error = {code: 'ERR_IPC_RESULT', message: `the result cannot be written: ${textOf(cause)}`};
            try {
                send({$reply: token, error});
            } catch (error) {
                process.emitWarning(`the request ${JSON.stringify(name)} could not be answered: ${textOf(error)}`);
            }
        }
    });
}

const disconnected = (name) => {
    const error = new Error(`the connection ended before a reply to request ${JSON.stringify(name)} came`);
    return Object.assign(error, {code: 'ERR_IPC_DISCONNECTED'});
};

const tables = new WeakMap();

// The requests of a target that wait, by their token. Listens for replies from the first request on.
function waiting(target) {
    let table = tables.get(target);
    if (table) return table;
    tables.set(target, (table = {asked: new Map(), prefix: randomBytes(8).toString('hex'), next: 0}));
    // Only whoever was asked may answer.
    const end = (token, from, settle) => {
        const request = table.asked.get(token);
        if (!request || request.socket !== from) return;
        table.asked.delete(token);
        clearTimeout(request.timer);
        settle(request);
    };
    target.on('$reply', (data, socket) => {
        const {$reply: token, result, error} = data || {};
        end(token, socket, ({resolve, reject}) =>
            error ? reject(Object.assign(new Error(error.message), {code: error.code, data: error.data})) : resolve(result));
    });
    const gone = (socket) => {
        for (const token of [...table.asked.keys()]) end(token, socket, ({name, reject}) => reject(disconnected(name)));
    };
    target.on('disconnect', () => gone(undefined));
    target.on('socket.disconnected', gone);
    return table;
}

// Asks for something, of the client `socket` where the target is a server: a promise of the result. It rejects with the
// peer's error, and with a `code` of its own after `timeout` ms or when the connection ends.
function request(target, name, params, {timeout = 10_000, socket} = {}) {
    if (typeof name !== 'string') throw new TypeError('the name of a request must be a string');
    const table = waiting(target);
    // What is emitted now would be lost in silence.
    if ((socket || target.socket)?.destroyed) return Promise.reject(disconnected(name));
    const token = `${table.prefix}-${(table.next++).toString(16)}`;
    return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
            table.asked.delete(token);
            const error = new Error(`no reply to request ${JSON.stringify(name)} within ${timeout} ms`);
            reject(Object.assign(error, {code: 'ERR_IPC_TIMEOUT'}));
        }, timeout);
        table.asked.set(token, {name, resolve, reject, timer, socket});
        try {
            emit(target, socket, name, {$request: token, params});
        } catch (error) {
            // No JSON, or there is no connection yet.
            clearTimeout(timer);
            table.asked.delete(token);
            reject(error);
        }
    });
}

module.exports = {onRequest, request};
