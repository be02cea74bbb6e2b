// Real node-ipc on an abstract name: `client` or `server`, the folder of the package, the name.
import {join} from 'node:path';
import {pathToFileURL} from 'node:url';

const [role, folder, name] = process.argv.slice(2);
const ipc = (await import(pathToFileURL(join(folder, 'node-ipc.js')))).default;
const path = `\0${name}`;

ipc.config.id = 'node';
ipc.config.silent = true;
// There is no file, and node-ipc's servers throw when they look for it.
ipc.config.unlink = false;
ipc.config.retry = 50;
if (role === 'server') {
    ipc.serve(path, () => {
        ipc.server.on('message', (text, socket) => ipc.server.emit(socket, 'message', `${text} world!`));
        console.error('serving');
    });
    ipc.server.start();
} else {
    ipc.connectTo('world', path, () => {
        ipc.of.world.on('connect', () => ipc.of.world.emit('message', 'hello'));
        ipc.of.world.on('message', (text) => {
            console.error(`answer ${text}`);
            ipc.disconnect('world');
        });
    });
}
