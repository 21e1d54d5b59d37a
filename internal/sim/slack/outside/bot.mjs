// A bot on Slack's own framework, in Socket Mode. It uses what netdiag uses: a slash command, a button, a form with a select
// that searches, a mention in a thread, a message shortcut, the Home tab, a file.
import bolt from "@slack/bolt";

const app = new bolt.App({
  token: process.env.SLACK_BOT_TOKEN, appToken: process.env.SLACK_APP_TOKEN, socketMode: true,
  logLevel: bolt.LogLevel.WARN, clientOptions: { slackApiUrl: process.env.SLACK_API_URL },
});

const plain = (text) => ({ type: "plain_text", text });
const button = (action_id, label, value) => ({ type: "button", action_id, text: plain(label), value });

const form = (about) => ({
  type: "modal", callback_id: "form", title: plain("Diagnose"), submit: plain("Run"), close: plain("Cancel"), private_metadata: about,
  blocks: [{ type: "input", block_id: "ns", label: plain("Namespace"), element: { type: "external_select", action_id: "pick", min_query_length: 1 } }],
});

app.command("/netdiag", async ({ ack, command, client }) => {
  await ack({ response_type: "ephemeral", text: `On it: ${command.text}` });
  if (command.text === "form") return client.views.open({ trigger_id: command.trigger_id, view: form(command.channel_id) });
  const root = await client.chat.postMessage({ channel: command.channel_id, text: `Looking at ${command.text}` });
  await client.chat.postMessage({
    channel: command.channel_id, thread_ts: root.ts, text: "A fix",
    blocks: [
      { type: "section", text: { type: "mrkdwn", text: "*A fix*" } },
      { type: "actions", block_id: "card", elements: [button("approve", "Approve", "v1:fix-1"), button("reject", "Reject", "v1:fix-1")] },
    ],
  });
});

app.action("approve", async ({ ack, body, action, client, respond }) => {
  await ack();
  await client.chat.update({ channel: body.channel.id, ts: body.container.message_ts, text: `${action.value} approved by ${body.user.id}`, blocks: [] });
  await respond({ response_type: "ephemeral", replace_original: false, text: "You approved." });
});

app.options("pick", async ({ ack, payload }) => {
  await ack({ options: [{ text: plain(`${payload.value}end`), value: "key-1" }] });
});

app.view("form", async ({ ack, view, body, client }) => {
  const picked = view.state.values.ns.pick.selected_option.text.text;
  if (picked !== "backend") return ack({ response_action: "errors", errors: { ns: `no namespace ${picked}` } });
  await ack({ response_action: "clear" });
  await client.chat.postMessage({ channel: view.private_metadata, text: `${picked} asked by ${body.user.id}` });
});

app.event("app_mention", async ({ event, say }) => {
  await say({ text: `heard: ${event.text.replace(/<@[^>]+> ?/, "")}`, thread_ts: event.thread_ts ?? event.ts });
});

app.message(async ({ message, say }) => {
  await say(`you wrote: ${message.text}`);
});

app.shortcut({ callback_id: "msg", type: "message_action" }, async ({ ack, shortcut, client }) => {
  await ack();
  await client.views.open({ trigger_id: shortcut.trigger_id, view: form(shortcut.channel.id) });
});

app.event("app_home_opened", async ({ event, client }) => {
  await client.views.publish({ user_id: event.user, view: { type: "home", blocks: [{ type: "header", text: plain(`Home of ${event.user}`) }] } });
  await client.filesUploadV2({ channel_id: event.channel, filename: "report.md", title: "Report", content: "# Report" });
});

await app.start();
