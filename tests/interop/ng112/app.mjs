// A chat app on command: ng112-js on Node, driven by JSON lines.
//
//   node app.mjs MODULES '{"endpoint": "ws://127.0.0.1:8088", "user": "anna", …}'
//
// MODULES is the directory that holds node_modules. A line on stdin is a command, {"do": "say",
// "text": "…"}; a line on stdout tells what happened, {"ev": "message", …}. It ends with stdin.

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const [modules, given] = process.argv.slice(2);
const require = createRequire(join(modules, 'package.json'));
const { XMLCompat, getNodeImpl } = require('pidf-lo');
const { Agent, DEC112Specifics, LocationMethod, Origin, VCard } = require('ng112-js/dist/node');
const { JsSipAdapter } = require('ng112-js-sip-adapter-jssip');

// Newer pidf-lo wants to be told that this is Node; ng112-js knows only of older ones.
XMLCompat.initialize(getNodeImpl());

// `dec112` in the configuration makes it speak DEC112's older dialect.
const { dec112, ...config } = JSON.parse(given);
const tell = (ev, content = {}) => process.stdout.write(`${JSON.stringify({ ev, ...content })}\n`);

const agent = new Agent({
  sipAdapterFactory: JsSipAdapter.factory,
  namespaceSpecifics: dec112 && new DEC112Specifics(dec112),
  ...config,
});
agent.addStateListener((state) => tell('agent', { state }));
let conversation;

const header = (message, name) => message.event?.request.getHeader(name);

function hear(message) {
  if (message.origin === Origin.LOCAL) return;
  tell('message', {
    type: message.type,
    id: message.id,
    text: message.text ?? '',
    replyTo: header(message, 'Reply-To') ?? '',
    priority: header(message, 'Resource-Priority') ?? '',
    asserted: header(message, 'P-Asserted-Identity') ?? '',
    contentType: header(message, 'Content-Type') ?? '',
    target: conversation.targetUri,
  });
  message.event?.accept?.();
}

// Tells how a message of ours ended; a command names it, so that the driver can wait for it.
function follow(message, name) {
  message.promise.then(
    () => tell('sent', { name, id: message.id }),
    (error) => tell('failed', { name, id: message.id, status: error.statusCode ?? 0,
      reason: String(error.reason ?? error) }),
  );
}

const extraHeaders = (headers = {}) =>
  Object.entries(headers).map(([key, value]) => ({ key, value }));

const commands = {
  // Starts a chat; heartbeat in milliseconds, isTest and isSilent in DEC112's dialect only.
  start({ to, text, name, heartbeat, headers, isTest, isSilent }) {
    if (heartbeat !== undefined) agent.setHeartbeatInterval(heartbeat);
    conversation = agent.createConversation(to, { isTest, isSilent });
    conversation.addMessageListener(hear);
    conversation.addStateListener((state) =>
      tell('conversation', { state: state.value, origin: state.origin }));
    tell('created', { call: conversation.id });
    follow(conversation.start({ text, extraHeaders: extraHeaders(headers) }), name);
  },
  say({ text, name, headers }) {
    follow(conversation.sendMessage({ text, extraHeaders: extraHeaders(headers) }), name);
  },
  // Is elsewhere now; the next message says so, a heartbeat at the latest.
  move({ latitude, longitude, radius, method = 'GPS' }) {
    agent.updateLocation({ latitude, longitude, radius, method: LocationMethod[method] });
  },
  present({ fullName, email }) {
    agent.updateVCard(new VCard().addFullName(fullName).addEmail(email));
  },
  mode({ mode }) {
    agent.setMode(mode);
  },
  beat({ name }) {
    follow(conversation.sendHeartbeat(), name);
  },
  stop({ text, name }) {
    follow(conversation.stop({ text }), name);
  },
};

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const command = JSON.parse(line);
    try {
      commands[command.do](command);
    } catch (error) {
      tell('failed', { name: command.name, status: 0, reason: String(error) });
    }
  })
  .on('close', () => process.exit(0));

await agent.initialize();
tell('ready');
