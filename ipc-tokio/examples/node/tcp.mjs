// A TCP client or server of real node-ipc, for the package folder, the role and the port given as arguments.
import {join} from 'node:path';
import {pathToFileURL} from 'node:url';

const [folder, role, port] = process.argv.slice(2);
const ipc = (await import(pathToFileURL(join(folder, 'node-ipc.js')))).default;

ipc.config.id = role === 'server' ? 'world' : 'hello';
ipc.config.silent = true;
ipc.config.retry = 100;

if (role === 'server') {
    ipc.serveNet('127.0.0.1', Number(port), () => {
        ipc.server.on('message', (text, socket) => {
            console.log(`got a message: ${text}`);
            ipc.server.emit(socket, 'message', `${text} world!`);
        });
        console.log(`listening on port ${port}`);
    });
    ipc.server.start();
} else {
    ipc.connectToNet('world', '127.0.0.1', Number(port), () => {
        ipc.of.world.on('connect', () => ipc.of.world.emit('message', 'hello'));
        ipc.of.world.on('message', (text) => {
            console.log(`got a message from world: ${text}`);
            ipc.disconnect('world');
        });
    });
}
