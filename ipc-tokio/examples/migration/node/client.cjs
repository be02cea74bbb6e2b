// A till that sells from the shelf. It is the same before, during and after the migration.
const ipc = require('node-ipc');

const [root = '/tmp/'] = process.argv.slice(2);
let last = 0;
const waiting = new Map();

function ask(type, data) {
  const id = ++last;
  ipc.of.shelf.emit(type, {id, ...data});
  return new Promise((resolve) => waiting.set(id, resolve));
}

ipc.config.socketRoot = root;
ipc.config.id = 'till';
ipc.config.silent = true;
ipc.config.retry = 50;
ipc.connectTo('shelf', () => {
  for (const answer of ['quoted', 'reserved', 'refused']) {
    ipc.of.shelf.on(answer, ({id, ...rest}) => {
      console.log(answer, JSON.stringify(rest));
      waiting.get(id)();
      waiting.delete(id);
    });
  }
  let sold;
  ipc.of.shelf.on('stock', ({item, left}) => {
    console.log('stock', item, left);
    sold();
  });
  ipc.of.shelf.on('connect', async () => {
    await ask('quote', {item: 'lamp', count: 3});
    const told = new Promise((resolve) => (sold = resolve));
    await ask('reserve', {item: 'lamp', count: 3});
    await told;
    await ask('reserve', {item: 'lamp', count: 100});
    ipc.disconnect('shelf');
  });
});
