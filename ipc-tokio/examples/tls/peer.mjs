// The two halves of node-ipc's TLS examples: node peer.mjs client|server <package folder> <port> '<options of tls>'.
import {join} from 'node:path';
import {pathToFileURL} from 'node:url';

const [role, folder, port, tls] = process.argv.slice(2);
const ipc = (await import(pathToFileURL(join(folder, 'node-ipc.js')))).default;

ipc.config.silent = true;
ipc.config.retry = 100;
ipc.config.maxRetries = 1;
ipc.config.networkHost = 'localhost';
ipc.config.networkPort = Number(port);
ipc.config.tls = JSON.parse(tls);

if (role === 'client') {
    ipc.config.id = 'hello';
    process.exitCode = 1;
    ipc.connectToNet('world', () => {
        ipc.of.world.on('connect', () => ipc.of.world.emit('message', 'hello'));
        ipc.of.world.on('message', (text) => {
            console.log(`got a message from world: ${text}`);
            process.exitCode = 0;
            ipc.disconnect('world');
        });
        ipc.of.world.on('error', (error) => console.log(`error: ${error.code ?? error.message}`));
    });
} else {
    ipc.config.id = 'world';
    ipc.serveNet(() => {
        ipc.server.on('message', (text, socket) => {
            const certificate = socket.getPeerCertificate();
            console.log(`got a message: ${text}, from ${certificate?.subject?.CN ?? 'somebody'}`);
            ipc.server.emit(socket, 'message', `${text} world!`);
        });
    });
    ipc.server.on('start', () => console.log(`listening at ${ipc.server.server.address().port}`));
    ipc.server.start();
}
