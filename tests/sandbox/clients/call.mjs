// The AWS SDK for JavaScript v3 as the tests drive it: a JSON array of calls on stdin, what came of each as a JSON array on stdout.
//   node call.mjs <folder with node_modules> <port>
import { createRequire } from "node:module";
import { Agent } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";

const [folder, port] = process.argv.slice(2);
const require = createRequire(join(folder, "package.json"));
const { NodeHttpHandler } = require("@smithy/node-http-handler");

const CLIENTS = {
  cloudformation: ["cloudformation", "CloudFormation"], cloudtrail: ["cloudtrail", "CloudTrail"], dynamodb: ["dynamodb", "DynamoDB"], ec2: ["ec2", "EC2"],
  ecr: ["ecr", "ECR"], iam: ["iam", "IAM"], kinesis: ["kinesis", "Kinesis"], kms: ["kms", "KMS"], lambda: ["lambda", "Lambda"],
  logs: ["cloudwatch-logs", "CloudWatchLogs"], s3: ["s3", "S3"], secretsmanager: ["secrets-manager", "SecretsManager"], sns: ["sns", "SNS"],
  sqs: ["sqs", "SQS"], ssm: ["ssm", "SSM"], sts: ["sts", "STS"],
};

// Any name is this machine, as *.localhost is where a resolver knows it.
const lookup = (_, options, done) => (options.all ? done(null, [{ address: "127.0.0.1", family: 4 }]) : done(null, "127.0.0.1", 4));
const clients = new Map();

function client({ service, path, keys, virtual }) {
  const id = JSON.stringify([service, path, keys, virtual]);
  if (!clients.has(id)) {
    const [name, type] = CLIENTS[service];
    const Client = require(`@aws-sdk/client-${name}`)[`${type}Client`];
    clients.set(id, new Client({
      region: "us-east-1", endpoint: `http://${virtual ? "localhost" : "127.0.0.1"}:${port}${path}`, maxAttempts: 1, forcePathStyle: !virtual,
      credentials: { accessKeyId: keys.AccessKeyId, secretAccessKey: keys.SecretAccessKey, sessionToken: keys.SessionToken },
      // Kinesis would speak HTTP/2 by itself.
      requestHandler: new NodeHttpHandler({ httpAgent: new Agent({ keepAlive: true, lookup }) }),
    }));
  }
  return clients.get(id);
}

function revive(_, value) {
  return value && typeof value === "object" && "$bytes" in value ? Buffer.from(value.$bytes, "base64") : value;
}

const done = [];
for (const call of JSON.parse(await text(process.stdin), revive)) {
  const Command = require(`@aws-sdk/client-${CLIENTS[call.service][0]}`)[`${call.operation}Command`];
  try {
    const answer = await client(call).send(new Command(call.params));
    const body = answer.Body?.transformToString ? await answer.Body.transformToString() : undefined;
    done.push({ status: answer.$metadata.httpStatusCode, body, credentials: answer.Credentials });
  } catch (error) {
    done.push({ code: error.name, message: error.message, status: error.$metadata?.httpStatusCode ?? null });
  }
}
process.stdout.write(JSON.stringify(done));
process.exit(0);
