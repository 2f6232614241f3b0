'use strict';
// An SFTP server as programs make one of ssh2: every operation its own, over fs, and failures without a word.
// node server.js ROOT PORT USERNAME HOST_KEY AUTHORIZED_KEYS [MILLISECONDS that reads and writes wait]

const fs = require('node:fs');
const path = require('node:path');
const { Server, utils } = require('ssh2');

const { STATUS_CODE, flagsToString } = utils.sftp;
const [root, port, username, hostKey, authorizedKeys, delay] = process.argv.slice(2);
const userKey = utils.parseKey(fs.readFileSync(authorizedKeys));
const NAMES_AT_ONCE = 100;

const later = (work) => (delay ? setTimeout(work, Number(delay)) : work());
const onDisk = (name) => path.join(root, path.posix.resolve('/', name));

function statusOf(error) {
  if (!error) return STATUS_CODE.OK;
  if (error.code === 'ENOENT') return STATUS_CODE.NO_SUCH_FILE;
  if (error.code === 'EACCES' || error.code === 'EPERM') return STATUS_CODE.PERMISSION_DENIED;
  return STATUS_CODE.FAILURE;
}

function attributes({ size, mode, uid, gid, atimeMs, mtimeMs }) {
  return { size, mode, uid, gid, atime: Math.floor(atimeMs / 1000), mtime: Math.floor(mtimeMs / 1000) };
}

function serve(sftp) {
  const handles = new Map();
  let given = 0;

  const give = (id, value) => {
    const handle = Buffer.alloc(4);
    handle.writeUInt32BE(given);
    handles.set(given++, value);
    sftp.handle(id, handle);
  };
  const taken = (handle) => handles.get(handle.readUInt32BE(0));
  const done = (id) => (error) => sftp.status(id, statusOf(error));
  const tellAttributes = (id) => (error, stats) => (error ? done(id)(error) : sftp.attrs(id, attributes(stats)));

  sftp.on('OPEN', (id, name, flags, attrs) => {
    fs.open(onDisk(name), flagsToString(flags), attrs.mode, (error, fd) => (error ? done(id)(error) : give(id, { fd })));
  });
  sftp.on('READ', (id, handle, offset, length) => {
    const { fd } = taken(handle);
    const answer = (error, count, data) => {
      if (error) done(id)(error);
      else if (count === 0) sftp.status(id, STATUS_CODE.EOF);
      else sftp.data(id, data.subarray(0, count));
    };
    later(() => fs.read(fd, Buffer.alloc(length), 0, length, offset, answer));
  });
  sftp.on('WRITE', (id, handle, offset, data) => {
    const { fd } = taken(handle);
    later(() => fs.write(fd, data, 0, data.length, offset, done(id)));
  });
  sftp.on('FSTAT', (id, handle) => fs.fstat(taken(handle).fd, tellAttributes(id)));
  sftp.on('CLOSE', (id, handle) => {
    const { fd } = taken(handle);
    handles.delete(handle.readUInt32BE(0));
    if (fd === undefined) sftp.status(id, STATUS_CODE.OK);
    else fs.close(fd, done(id));
  });
  sftp.on('LSTAT', (id, name) => fs.lstat(onDisk(name), tellAttributes(id)));
  sftp.on('STAT', (id, name) => fs.stat(onDisk(name), tellAttributes(id)));
  sftp.on('OPENDIR', (id, name) => {
    const folder = onDisk(name);
    fs.readdir(folder, (error, names) => (error ? done(id)(error) : give(id, { folder, names })));
  });
  sftp.on('READDIR', (id, handle) => {
    const { folder, names } = taken(handle);
    const entries = [];
    while (names.length && entries.length < NAMES_AT_ONCE) {
      const filename = names.shift();
      const stats = fs.lstatSync(path.join(folder, filename), { throwIfNoEntry: false });
      if (stats) entries.push({ filename, longname: filename, attrs: attributes(stats) });
    }
    if (entries.length) sftp.name(id, entries);
    else sftp.status(id, STATUS_CODE.EOF);
  });
  sftp.on('REMOVE', (id, name) => fs.unlink(onDisk(name), done(id)));
  sftp.on('MKDIR', (id, name) => fs.mkdir(onDisk(name), done(id)));
  sftp.on('RMDIR', (id, name) => fs.rmdir(onDisk(name), done(id)));
  sftp.on('RENAME', (id, from, to) => fs.rename(onDisk(from), onDisk(to), done(id)));
  sftp.on('REALPATH', (id, name) => sftp.name(id, [{ filename: path.posix.resolve('/', name) }]));
}

function logIn(context) {
  const { username: name, method, key, signature, blob, hashAlgo } = context;
  if (name !== username || method !== 'publickey') return context.reject(['publickey']);
  if (key.algo !== userKey.type || !key.data.equals(userKey.getPublicSSH())) return context.reject();
  if (signature && !userKey.verify(blob, signature, hashAlgo)) return context.reject();
  return context.accept();
}

new Server({ hostKeys: [fs.readFileSync(hostKey)] }, (client) => {
  client.setNoDelay(true);
  client.on('authentication', logIn);
  client.on('session', (accept) => accept().on('sftp', (acceptSFTP) => serve(acceptSFTP())));
  // A client that is gone takes its connection along, not the server.
  client.on('error', () => {});
}).listen(Number(port), '127.0.0.1');
