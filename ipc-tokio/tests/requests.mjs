// Requests with real node-ipc: `client` or `server`, the folder of the package, the path of the socket. One line per result.
import {join} from 'node:path';
import {pathToFileURL} from 'node:url';
import {onRequest, request} from '../../js/ipc-request.cjs';

const [role, folder, path] = process.argv.slice(2);
const ipc = (await import(pathToFileURL(join(folder, 'node-ipc.js')))).default;
ipc.config.id = 'node';
ipc.config.silent = true;
ipc.config.retry = 50;

const say = (text) => console.error(text);
const told = (promise) =>
    promise.then((result) => JSON.stringify(result) ?? 'undefined', (error) => `${error.code} ${error.message} ${JSON.stringify(error.data)}`);

function answers(target) {
    onRequest(target, 'sum', (numbers) => numbers.reduce((sum, number) => sum + number, 0));
    onRequest(target, 'later', (text) => new Promise((resolve) => setTimeout(resolve, 20, `${text} later`)));
    onRequest(target, 'nothing', () => {});
    onRequest(target, 'fails', () => {
        throw Object.assign(new Error('by zero'), {code: 'ERR_DIVISION', data: [1, 0]});
    });
    onRequest(target, 'throws', () => {
        throw 'a string';
    });
    onRequest(target, 'circle', () => {
        const circle = {};
        return (circle.of = circle);
    });
    onRequest(target, 'big', () => 10n);
    onRequest(target, 'big data', () => {
        throw Object.assign(new Error('too big'), {data: 10n});
    });
    onRequest(target, 'odd result', () => ({
        toJSON() {
            throw null;
        },
    }));
    onRequest(target, 'odd error', () => {
        throw Object.create(null);
    });
    target.on('sum', (data) => say(`seen ${typeof data.$request} ${JSON.stringify(data.params)}`));
}

if (role === 'server') {
    ipc.serve(path, () => {
        answers(ipc.server);
        ipc.server.on('ask me', async (name, socket) => {
            say(`client says ${await told(request(ipc.server, name, 'you', {socket}))}`);
        });
        say('serving');
    });
    ipc.server.start();
} else {
    ipc.connectTo('world', path, () => {
        const world = ipc.of.world;
        answers(world);
        world.on('connect', async () => {
            say(`sum ${await told(request(world, 'sum', [1, 2, 3.5]))}`);
            say(`misfit ${await told(request(world, 'sum', 'x'))}`);
            say(`fails ${await told(request(world, 'fails'))}`);
            say(`unknown ${await told(request(world, 'unknown', 1))}`);
            say(`never ${await told(request(world, 'never', 1, {timeout: 50}))}`);
            say(`all ${await told(Promise.all([3, 1, 2].map((n) => request(world, 'wait', n))))}`);
            say(`back ${await told(request(world, 'ask me back', [4, 5]))}`);
            const circle = {};
            say(`circular ${(await told(request(world, 'sum', (circle.of = circle), {timeout: 60_000}))).slice(0, 42)}`);
            say(`cut ${await told(request(world, 'cut', 1))}`);
            say(`after ${await told(request(world, 'sum', [1], {timeout: 60_000}))}`);
            say(`nameless ${await told(Promise.resolve().then(() => request(world)))}`);
            ipc.disconnect('world');
            say('done');
        });
    });
}
