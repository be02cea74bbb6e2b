// The shelf: what is in stock, what it costs, and who reserves it. A service as one finds them: node-ipc 9, ids made by hand.
const ipc = require('node-ipc');

const [root = '/tmp/', id = 'shelf'] = process.argv.slice(2);
const shelf = {lamp: {price: 20, left: 7}, chair: {price: 45, left: 2}};

ipc.config.socketRoot = root;
ipc.config.id = id;
ipc.config.silent = true;
ipc.serve(() => {
  ipc.server.on('quote', ({id, item, count}, socket) => {
    ipc.server.emit(socket, 'quoted', {id, total: shelf[item].price * count});
  });
  ipc.server.on('reserve', ({id, item, count}, socket) => {
    const {left} = shelf[item];
    if (count > left) return ipc.server.emit(socket, 'refused', {id, left});
    shelf[item].left = left - count;
    ipc.server.emit(socket, 'reserved', {id, left: left - count});
    ipc.server.broadcast('stock', {item, left: left - count});
  });
  console.log('open');
});
ipc.server.start();
