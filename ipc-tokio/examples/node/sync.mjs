// The two halves of node-ipc's sync example, for the package folder, the role and the socket path given as arguments: a client
// that emits three questions at once with `sync`, and a server that takes its time and notices whether they come one by one.
import {join} from 'node:path';
import {pathToFileURL} from 'node:url';

const [folder, role, path] = process.argv.slice(2);
const ipc = (await import(pathToFileURL(join(folder, 'node-ipc.js')))).default;

ipc.config.silent = true;
ipc.config.retry = 100;

if (role === 'server') {
    ipc.config.id = 'world';
    let open = 0;
    let together = 0;
    ipc.serve(path, () => {
        ipc.server.on('question', (number, socket) => {
            open += 1;
            together = Math.max(together, open);
            console.log(`asked about ${number}`);
            setTimeout(() => {
                open -= 1;
                ipc.server.emit(socket, 'answer', number * 2);
            }, 10);
        });
        ipc.server.on('socket.disconnected', () => {
            console.log(together === 1 ? 'one at a time' : `${together} at a time`);
            process.exit(0);
        });
        console.log('listening');
    });
    ipc.server.start();
} else {
    ipc.config.id = 'hello';
    ipc.config.sync = true;
    const answers = [];
    ipc.connectTo('world', path, () => {
        ipc.of.world.on('connect', () => {
            for (const number of [1, 2, 3]) {
                ipc.of.world.emit('question', number);
            }
        });
        ipc.of.world.on('answer', (number) => {
            answers.push(number);
            if (answers.length === 3) {
                console.log(`all answered: ${answers}`);
                ipc.disconnect('world');
            }
        });
    });
}
