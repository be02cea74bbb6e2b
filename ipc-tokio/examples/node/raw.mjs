// A raw client of real node-ipc, for the package folder and the path of a socket given as arguments. It writes two integers
// big-endian into a buffer and reads them from the answer, little-endian.
import {join} from 'node:path';
import {pathToFileURL} from 'node:url';

const [folder, path] = process.argv.slice(2);
const ipc = (await import(pathToFileURL(join(folder, 'node-ipc.js')))).default;

ipc.config.id = 'hello';
ipc.config.silent = true;
ipc.config.rawBuffer = true;
ipc.config.encoding = 'hex';
ipc.connectTo('world', path, () => {
    ipc.of.world.on('connect', () => {
        const buffer = Buffer.alloc(6);
        buffer.writeUInt16BE(2, 0);
        buffer.writeUInt32BE(16772812, 2);
        ipc.of.world.emit(buffer);
    });
    let answer = Buffer.alloc(0);
    ipc.of.world.on('data', (bytes) => {
        answer = Buffer.concat([answer, bytes]);
        if (answer.length >= 6) {
            console.log(`${answer.readUInt16LE(0)} and ${answer.readUInt32LE(2)}`);
            ipc.disconnect('world');
        }
    });
});
