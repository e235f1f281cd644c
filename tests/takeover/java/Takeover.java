import java.io.*;
import java.nio.charset.StandardCharsets;
import java.util.*;
import org.apache.kafka.clients.admin.Admin;

/**
 * Does what the takeover test asks, a line of tab-separated words at a time on standard input; answers "ok ..." or "error ...".
 * One process for the whole test, so that producers live on while the broker behind their address changes.
 */
public final class Takeover {
    private static final Map<String, Content.Held> held = new HashMap<>();

    static Map<String, Object> to(String bootstrap) {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("request.timeout.ms", 20000);
        settings.put("default.api.timeout.ms", 60000);
        settings.put("reconnect.backoff.max.ms", 200);
        return settings;
    }

    private static String run(String[] words) throws Exception {
        String bootstrap = words[1];
        switch (words[0]) {
            case "create":
                try (Admin admin = Admin.create(to(bootstrap))) {
                    return Content.create(admin);
                }
            case "fill":
                return "" + Content.fill(bootstrap, Double.parseDouble(words[2]));
            case "more":
                return "" + Content.more(bootstrap, words[2], Integer.parseInt(words[3]));
            case "change":
                try (Admin admin = Admin.create(to(bootstrap))) {
                    return Content.change(admin, bootstrap);
                }
            case "churn":
                try (Admin admin = Admin.create(to(bootstrap))) {
                    return Content.churn(admin, words[2], Integer.parseInt(words[3]));
                }
            case "internal":
                try (Admin admin = Admin.create(to(bootstrap))) {
                    return Content.internal(admin, bootstrap);
                }
            case "transactions":
                return "" + Content.transactions(bootstrap, words[2]);
            case "groups":
                try (Admin admin = Admin.create(to(bootstrap))) {
                    return Content.groups(admin);
                }
            case "hold":
                held.put(bootstrap, new Content.Held(bootstrap));
                return held.get(bootstrap).send(words[2], Integer.parseInt(words[3]));
            case "held":
                return held.get(bootstrap).send(words[2], Integer.parseInt(words[3]));
            case "release":
                held.remove(bootstrap).close();
                return "";
            case "state":
                try (Admin admin = Admin.create(to(bootstrap)); PrintWriter out = file(words[2])) {
                    return Look.state(admin, out);
                }
            case "read":
                try (Admin admin = Admin.create(to(bootstrap)); PrintWriter out = file(words[2])) {
                    return "" + Look.read(admin, bootstrap, out);
                }
            default:
                throw new IllegalArgumentException(words[0]);
        }
    }

    private static PrintWriter file(String path) throws IOException {
        return new PrintWriter(new BufferedWriter(new OutputStreamWriter(new FileOutputStream(path), StandardCharsets.UTF_8), 1 << 20));
    }

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = in.readLine()) != null; ) {
            String answer;
            try {
                answer = "ok " + run(line.split("\t"));
            } catch (Throwable t) {
                StringWriter text = new StringWriter();
                t.printStackTrace(new PrintWriter(text));
                answer = "error " + text.toString().replace("\n", " | ");
            }
            System.out.println(answer);
            System.out.flush();
        }
        System.exit(0);
    }
}
