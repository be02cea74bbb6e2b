// A UDP server of real node-ipc that says hello to another and answers it, for the package folder, its own port and the
// other's given as arguments.
import {join} from 'node:path';
import {pathToFileURL} from 'node:url';

const [folder, ownPort, otherPort] = process.argv.slice(2);
const ipc = (await import(pathToFileURL(join(folder, 'node-ipc.js')))).default;

ipc.config.id = 'hello';
ipc.config.silent = true;
ipc.serveNet('127.0.0.1', Number(ownPort), 'udp4', () => {
    ipc.server.on('message', (text, sender) => {
        console.log(`got a message from ${sender.address}: ${text}`);
    });
    ipc.server.on('question', (number, sender) => {
        ipc.server.emit(sender, 'answer', number * 2);
    });
    ipc.server.on('goodbye', (text) => {
        console.log(`goodbye: ${text}`);
        ipc.server.stop();
        process.exit(0);
    });
    ipc.server.emit({address: '127.0.0.1', port: Number(otherPort)}, 'message', 'hello');
});
ipc.server.start();
