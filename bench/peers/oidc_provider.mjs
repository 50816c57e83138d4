// oidc-provider with a public client, the device flow, and codes that nobody has confirmed yet.
import { writeFileSync } from "node:fs";
import Provider from "oidc-provider";

const [port, made] = [Number(process.argv[2]), process.argv[3]];
const issuer = `http://127.0.0.1:${port}`;
const grant = "urn:ietf:params:oauth:grant-type:device_code";
const provider = new Provider(issuer, {
  clients: [{
    client_id: "bench", token_endpoint_auth_method: "none", grant_types: [grant],
    redirect_uris: [], response_types: [], application_type: "native",
  }],
  features: { deviceFlow: { enabled: true }, devInteractions: { enabled: false } },
  ttl: { DeviceCode: 3600 },
});

provider.listen(port, "127.0.0.1", async () => {
  const codes = [];
  for (let number = 0; number < 200; number += 1) {
    const answer = await fetch(`${issuer}/device/auth`, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: "client_id=bench&scope=openid",
    });
    codes.push((await answer.json()).device_code);
  }
  writeFileSync(made, codes.map((code) => `${code}\n`).join(""));
});
