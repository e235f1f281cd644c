import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

import com.fasterxml.jackson.databind.ObjectMapper;

import org.apache.kafka.common.utils.Exit;

/**
 * Runs Kafka's tools one after another in one process. A line of standard input is a JSON array, the class and its arguments; a line
 * of standard output an object: out, err and code. A tool that asks to exit is over, whatever it does afterwards.
 */
public class ToolRuns {
    /** What a tool had printed when it asked to exit. */
    private static final class Ended extends Error {
        Ended() { super(null, null, false, false); }
    }

    private static final ByteArrayOutputStream OUT = new ByteArrayOutputStream();
    private static final ByteArrayOutputStream ERR = new ByteArrayOutputStream();
    private static Map<String, Object> ended;

    private static Map<String, Object> printed(int code) {
        System.out.flush();
        System.err.flush();
        return Map.of("out", OUT.toString(StandardCharsets.UTF_8), "err", ERR.toString(StandardCharsets.UTF_8), "code", code);
    }

    private static void exit(int code) {
        if (ended == null) ended = printed(code);
        throw new Ended();
    }

    private static Map<String, Object> run(List<String> command) throws Exception {
        OUT.reset();
        ERR.reset();
        ended = null;
        String[] arguments = command.subList(1, command.size()).toArray(new String[0]);
        try {
            Class.forName(command.get(0)).getMethod("main", String[].class).invoke(null, (Object) arguments);
        } catch (InvocationTargetException thrown) {
            if (ended != null) return ended;
            StringWriter trace = new StringWriter();
            thrown.getCause().printStackTrace(new PrintWriter(trace));
            System.err.print("Exception in thread \"main\" " + trace);
            return printed(1);
        }
        return ended != null ? ended : printed(0);
    }

    public static void main(String[] arguments) throws Exception {
        PrintStream answers = System.out;
        System.setOut(new PrintStream(OUT, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(ERR, true, StandardCharsets.UTF_8));
        Exit.setExitProcedure((code, message) -> exit(code));
        Exit.setHaltProcedure((code, message) -> exit(code));
        ObjectMapper json = new ObjectMapper();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            List<String> command = json.readerForListOf(String.class).readValue(line);
            answers.println(json.writeValueAsString(run(command)));
            answers.flush();
        }
    }
}
