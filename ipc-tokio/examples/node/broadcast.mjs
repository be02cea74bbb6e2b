// One of several clients, by real node-ipc, for the package folder, the socket path and the number of clients given as
// arguments: it says its word when all are there, and leaves when it has heard everybody.
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {pathToFileURL} from 'node:url';

const [folder, path, expected] = process.argv.slice(2);
const ipc = (await import(pathToFileURL(join(folder, 'node-ipc.js')))).default;

ipc.config.id = `node-ipc ${JSON.parse(readFileSync(join(folder, 'package.json'))).version}`;
ipc.config.silent = true;
ipc.config.retry = 100;

const heard = new Set();
ipc.connectTo('world', path, () => {
    ipc.of.world.on('app.start', () => {
        ipc.of.world.emit('app.message', {id: ipc.config.id, message: `${ipc.config.id} world!`});
    });
    ipc.of.world.on('app.message', (said) => {
        heard.add(said.id);
        console.log(`${said.id} says ${said.message}`);
        if (heard.size === Number(expected)) {
            console.log('heard everybody');
            ipc.disconnect('world');
        }
    });
});
