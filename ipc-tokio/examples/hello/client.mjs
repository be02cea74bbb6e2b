// The client of node-ipc's README, for the package folder and socket path given as arguments.
import {join} from 'node:path';
import {pathToFileURL} from 'node:url';

const [folder, path] = process.argv.slice(2);
const ipc = (await import(pathToFileURL(join(folder, 'node-ipc.js')))).default;

ipc.config.id = 'hello';
ipc.config.silent = true;
ipc.config.retry = 100;
ipc.connectTo('world', path, () => {
    ipc.of.world.on('connect', () => {
        console.log('connected, saying hello');
        ipc.of.world.emit('message', 'hello');
    });
    ipc.of.world.on('message', (text) => {
        console.log(`got a message from world: ${text}`);
        ipc.disconnect('world');
    });
});
