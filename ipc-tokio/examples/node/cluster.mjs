// The client of node-ipc's cluster example, for the package folder and socket path given as arguments: three times it
// connects, says the date and hears which worker got it.
import {join} from 'node:path';
import {pathToFileURL} from 'node:url';

const [folder, socketPath] = process.argv.slice(2);
const ipc = (await import(pathToFileURL(join(folder, 'node-ipc.js')))).default;

ipc.config.silent = true;
ipc.config.retry = 100;

const connecting = (left) => ipc.connectTo('world', socketPath, () => {
    ipc.of.world.on('connect', () => {
        ipc.of.world.emit('currentDate', {message: new Date().toISOString()});
    });
    ipc.of.world.on('pid', (pid) => {
        console.log(`node-ipc was answered by the worker with pid ${pid}`);
        ipc.disconnect('world');
        if (left > 1) {
            setTimeout(connecting, 50, left - 1);
        }
    });
});
connecting(3);
