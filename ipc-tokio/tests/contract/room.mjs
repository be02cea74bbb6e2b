// The other side of the contract, by real node-ipc: node room.mjs client|server <package folder> <socket path>. It prints what it
// hears, a line of JSON for each event, and says the same back under the names of the other direction.
import {join} from 'node:path';
import {pathToFileURL} from 'node:url';

const [role, folder, path] = process.argv.slice(2);
const ipc = (await import(pathToFileURL(join(folder, 'node-ipc.js')))).default;

ipc.config.silent = true;
ipc.config.retry = 50;

if (role === 'client') {
    ipc.connectTo('room', path, () => {
        const room = ipc.of.room;
        room.on('connect', () => {
            room.emit('join', 'ann');
            room.emit('say', {text: 'hi'});
            room.emit('say', {text: 'hi', reply_to: 3});
            room.emit('room.move', [0.5, 2]);
            room.emit('join', {not: 'a name'});
            room.emit('unheard of', 1);
            room.emit('leave');
        });
        for (const name of ['joined', 'said', 'history', 'counted', 'moved', 'left']) {
            room.on(name, (data) => console.log(JSON.stringify([name, data])));
        }
        room.on('left', () => ipc.disconnect('room'));
    });
} else {
    ipc.serve(path, () => {
        for (const name of ['join', 'say', 'room.move', 'leave']) {
            ipc.server.on(name, (data, socket) => {
                console.log(JSON.stringify([name, data]));
                if (name === 'leave') {
                    ipc.server.emit(socket, 'moved', {kind: 'at', x: 1, y: 2});
                    ipc.server.emit(socket, 'left', 'ANN');
                }
            });
        }
        console.log('listening');
    });
    ipc.server.start();
}
