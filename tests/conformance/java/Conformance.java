import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.InputStream;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeSet;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.UnsupportedVersionException;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.RawTaggedField;

/**
 * The Java side of the comparison, run once for each Kafka version with its jars on the class path.
 *
 *   generate PLAN OUT SEED   for each message and version: the default, all set, all default inside arrays, and random
 *                            instances until every field was seen in every state; bytes and JSON go to OUT
 *   accept IN                what Klamm made of those instances: the same instance at another version, as bytes or as the
 *                            reason why it cannot be
 */
public class Conformance {
    static final int RANDOM_INSTANCES_MIN = 20;
    static final int RANDOM_INSTANCES_MAX = 2000;
    // Where records end up in a file: the default instance, one with everything set, any other.
    static final int KIND_DEFAULT = 0, KIND_ALL_SET = 1, KIND_OTHER = 2;

    public static void main(String[] arguments) throws Exception {
        if (arguments[0].equals("generate")) {
            new Generator(Long.parseLong(arguments[3])).run(Path.of(arguments[1]), Path.of(arguments[2]));
        } else {
            System.exit(new Acceptor().run(Path.of(arguments[1])) ? 0 : 1);
        }
    }

    // ---- descriptions

    record Bounds(int low, int high) {
        static Bounds parse(String text) {
            if (text == null || text.isEmpty() || text.equals("none")) return new Bounds(0, -1);
            if (text.endsWith("+")) return new Bounds(Integer.parseInt(text.substring(0, text.length() - 1)), Short.MAX_VALUE);
            String[] ends = text.split("-");
            return new Bounds(Integer.parseInt(ends[0]), Integer.parseInt(ends[ends.length - 1]));
        }

        boolean contains(int version) {
            return version >= low && version <= high;
        }
    }

    static class Field {
        String name, type;
        boolean array;
        Bounds versions, nullable, tagged;
        int tag = -1;
        boolean nullDefault;
        List<Field> fields;

        boolean struct() {
            return Character.isUpperCase(type.charAt(0));
        }

        String setter() {
            return "set" + Character.toUpperCase(name.charAt(0)) + name.substring(1);
        }

        String getter() {
            return Character.toLowerCase(name.charAt(0)) + name.substring(1);
        }
    }

    static class Description {
        final List<Field> fields;
        final Bounds flexible;
        private final Map<String, JsonNode> common = new HashMap<>();

        Description(String path) throws Exception {
            JsonNode json = read(path);
            for (JsonNode struct : json.path("commonStructs")) common.put(struct.get("name").asText(), struct.get("fields"));
            flexible = Bounds.parse(json.path("flexibleVersions").asText(""));
            fields = fields(json.path("fields"));
        }

        static JsonNode read(String path) throws Exception {
            ObjectMapper mapper = new ObjectMapper();
            mapper.configure(JsonParser.Feature.ALLOW_COMMENTS, true);
            try (InputStream in = Conformance.class.getClassLoader().getResourceAsStream(path)) {
                return mapper.readTree(in);
            }
        }

        List<Field> fields(JsonNode nodes) {
            List<Field> out = new ArrayList<>();
            for (JsonNode node : nodes) {
                Field field = new Field();
                field.name = node.get("name").asText();
                String type = node.get("type").asText();
                field.array = type.startsWith("[]");
                field.type = field.array ? type.substring(2) : type;
                field.tagged = Bounds.parse(node.path("taggedVersions").asText(""));
                field.versions = node.has("versions") ? Bounds.parse(node.get("versions").asText()) : field.tagged;
                field.nullable = Bounds.parse(node.path("nullableVersions").asText(""));
                if (node.has("tag")) field.tag = node.get("tag").asInt();
                field.nullDefault = field.type.equals("records") || node.path("default").asText("").equals("null") && !node.get("default").isNull();
                if (field.struct()) field.fields = fields(node.has("fields") ? node.get("fields") : common.get(field.type));
                out.add(field);
            }
            return out;
        }
    }

    // ---- messages

    static ByteBuffer write(Message message, short version) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer buffer = ByteBuffer.allocate(message.size(cache, version));
        message.write(new ByteBufferAccessor(buffer), cache, version);
        if (buffer.hasRemaining()) throw new IllegalStateException("size() and write() disagree");
        buffer.flip();
        return buffer;
    }

    static byte[] bytes(ByteBuffer buffer) {
        return Arrays.copyOfRange(buffer.array(), buffer.arrayOffset(), buffer.arrayOffset() + buffer.limit());
    }

    static Message create(String javaClass) throws Exception {
        return (Message) Class.forName(javaClass).getConstructor().newInstance();
    }

    static Method method(Class<?> type, String name, int parameters) {
        for (Method method : type.getMethods()) {
            if (method.getName().equals(name) && method.getParameterCount() == parameters && !method.isBridge()) return method;
        }
        throw new IllegalStateException(type + " has no " + name);
    }

    // ---- generate

    enum Mode { DEFAULT, SET, RANDOM }

    /** What has been seen of a field in one version of a message. */
    static class Coverage {
        private final TreeSet<String> wanted = new TreeSet<>();
        private final TreeSet<String> missing = new TreeSet<>();

        Coverage(Description description, int version) {
            want("", description.fields, description, version);
            missing.addAll(wanted);
        }

        private void want(String path, List<Field> fields, Description description, int version) {
            if (description.flexible.contains(version)) wanted.addAll(List.of(path + "?tags", path + "?no tags"));
            for (Field field : fields) {
                if (!field.versions.contains(version)) continue;
                String name = path + "." + field.name;
                if (field.nullable.contains(version)) wanted.addAll(List.of(name + "=null", name + "=not null"));
                if (field.array) wanted.addAll(List.of(name + "=0", name + "=1", name + "=2", name + "=3"));
                if (field.struct()) want(name, field.fields, description, version);
                else if (!field.array) wanted.addAll(List.of(name + "=default", name + "=set"));
            }
        }

        void saw(String what) {
            missing.remove(what);
        }
    }

    static class Generator {
        private final long seed;
        private Random random;
        private Description description;
        private Coverage coverage;
        private int version;
        private String outer;

        Generator(long seed) {
            this.seed = seed;
        }

        void run(Path plan, Path out) throws Exception {
            int messages = 0, versions = 0, wanted = 0, missing = 0;
            long instances = 0;
            try (DataOutputStream to = new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(out), 1 << 20))) {
                for (String line : Files.readAllLines(plan)) {
                    String[] parts = line.split("\t");
                    description = new Description(parts[2]);
                    outer = parts[1];
                    Method json = method(Class.forName(parts[1] + "JsonConverter"), "write", 3);
                    messages++;
                    for (String text : parts[3].split(",")) {
                        version = Integer.parseInt(text);
                        versions++;
                        // Of its own for each message and version, so that one can be looked at alone.
                        random = new Random(seed ^ (parts[0].hashCode() * 1000003L + version));
                        coverage = new Coverage(description, version);
                        instances += instancesOf(parts[0], json, to);
                        wanted += coverage.wanted.size();
                        missing += coverage.missing.size();
                        for (String what : coverage.missing) System.out.println("NEVER SEEN " + parts[0] + " " + version + " " + what);
                    }
                }
            }
            System.out.printf("made: %d messages, %d versions, %d instances; states of fields %d, seen %d (%.1f %%)%n", messages,
                versions, instances, wanted, wanted - missing, 100.0 * (wanted - missing) / wanted);
            if (missing > 0) System.exit(1);
        }

        private int instancesOf(String name, Method json, DataOutputStream to) throws Exception {
            int count = 0;
            for (int i = 0; i < 3 + RANDOM_INSTANCES_MAX; i++) {
                if (i >= 3 + RANDOM_INSTANCES_MIN && coverage.missing.isEmpty()) break;
                Mode mode = i < 2 ? Mode.DEFAULT : i == 2 ? Mode.SET : Mode.RANDOM;
                Message message = create(outer);
                if (i > 0) fill("", message, description.fields, mode);
                else seeDefaults();
                byte[] bytes = bytes(write(message, (short) version));
                to.writeUTF(name);
                to.writeShort(version);
                to.writeByte(i == 0 ? KIND_DEFAULT : mode == Mode.SET ? KIND_ALL_SET : KIND_OTHER);
                put(to, bytes);
                put(to, json.invoke(null, message, (short) version, true).toString().getBytes(StandardCharsets.UTF_8));
                put(to, json.invoke(null, message, (short) version, false).toString().getBytes(StandardCharsets.UTF_8));
                count++;
            }
            return count;
        }

        private static void put(DataOutputStream to, byte[] bytes) throws Exception {
            to.writeInt(bytes.length);
            to.write(bytes);
        }

        /** The untouched message shows the defaults of its own fields. */
        private void seeDefaults() {
            for (Field field : description.fields) {
                if (field.versions.contains(version) && !field.array && !field.struct()) coverage.saw("." + field.name + "=default");
            }
        }

        private void fill(String path, Message message, List<Field> fields, Mode mode) throws Exception {
            List<Integer> known = new ArrayList<>();
            for (Field field : fields) {
                if (field.tag >= 0) known.add(field.tag);
                if (!field.versions.contains(version)) continue;
                fillField(path + "." + field.name, message, field, mode);
            }
            if (!description.flexible.contains(version)) return;
            boolean tags = mode == Mode.SET || mode == Mode.RANDOM && random.nextInt(4) == 0;
            coverage.saw(path + (tags ? "?tags" : "?no tags"));
            if (tags) message.unknownTaggedFields().addAll(unknownTags(known));
        }

        /** Tags between and after those that the struct has in any version. */
        private List<RawTaggedField> unknownTags(List<Integer> known) {
            TreeSet<Integer> tags = new TreeSet<>();
            for (int i = 0; i <= random.nextInt(3); i++) tags.add(random.nextInt(5) == 0 ? random.nextInt(1 << 28) : random.nextInt(300));
            tags.removeAll(known);
            if (tags.isEmpty()) tags.add(12345);
            List<RawTaggedField> out = new ArrayList<>();
            for (int tag : tags) out.add(new RawTaggedField(tag, randomBytes(random.nextInt(8) == 0 ? 200 : 6)));
            return out;
        }

        private void fillField(String path, Message message, Field field, Mode mode) throws Exception {
            Method setter = method(message.getClass(), field.setter(), 1);
            boolean mayBeNull = field.nullable.contains(version);
            if (mayBeNull && mode == Mode.RANDOM && random.nextInt(4) == 0) {
                coverage.saw(path + "=null");
                if (!field.array && !field.struct() && field.nullDefault) coverage.saw(path + "=default");
                setter.invoke(message, new Object[] {null});
                return;
            }
            if (field.array) {
                int length = mode == Mode.DEFAULT ? 1 : mode == Mode.SET ? 2 : random.nextInt(4);
                coverage.saw(path + "=" + length);
                coverage.saw(path + "=not null");
                setter.invoke(message, array(path, setter.getParameterTypes()[0], field, length, mode));
            } else if (field.struct()) {
                coverage.saw(path + "=not null");
                setter.invoke(message, struct(path, field, mode));
            } else {
                fillScalar(path, message, field, setter, mode, mayBeNull);
            }
        }

        private void fillScalar(String path, Message message, Field field, Method setter, Mode mode, boolean mayBeNull) throws Exception {
            Object standard = method(message.getClass(), field.getter(), 0).invoke(message);
            if (mode == Mode.DEFAULT || mode == Mode.RANDOM && random.nextInt(4) == 0) {
                // Null by default, yet not allowed everywhere: records.
                if (standard == null && !mayBeNull) setter.invoke(message, scalar(field, setter.getParameterTypes()[0]));
                coverage.saw(path + "=default");
                coverage.saw(path + (standard == null ? "=null" : "=not null"));
                return;
            }
            Object value = scalar(field, setter.getParameterTypes()[0]);
            while (value.equals(standard) || standard instanceof byte[] old && Arrays.equals(old, (byte[]) value)) {
                value = scalar(field, setter.getParameterTypes()[0]);
            }
            coverage.saw(path + "=set");
            coverage.saw(path + "=not null");
            setter.invoke(message, value);
        }

        private Message struct(String path, Field field, Mode mode) throws Exception {
            Message message = create(outer + "$" + field.type);
            fill(path, message, field.fields, mode);
            return message;
        }

        @SuppressWarnings("unchecked")
        private Object array(String path, Class<?> type, Field field, int length, Mode mode) throws Exception {
            Collection<Object> out = type.isInterface() ? new ArrayList<>() : (Collection<Object>) type.getConstructor().newInstance();
            for (int i = 0; i < length; i++) out.add(field.struct() ? struct(path, field, mode) : scalar(field, null));
            return out;
        }

        private Object scalar(Field field, Class<?> type) {
            switch (field.type) {
                case "bool": return random.nextBoolean();
                case "int8": return (byte) number(8);
                case "int16": return (short) number(16);
                case "uint16": return (int) number(16) & 0xffff;
                case "int32": return (int) number(32);
                case "uint32": return number(32) & 0xffffffffL;
                case "int64": return number(64);
                case "float64": return DOUBLES[random.nextInt(DOUBLES.length)];
                case "uuid": return new Uuid(random.nextLong(), random.nextLong());
                case "string": return text();
                case "bytes": {
                    byte[] bytes = randomBytes(random.nextInt(6) == 0 ? 300 : 10);
                    return type == ByteBuffer.class ? ByteBuffer.wrap(bytes) : bytes;
                }
                case "records": return records(randomBytes(random.nextInt(4) == 0 ? 500 : 20));
                default: throw new IllegalStateException(field.type);
            }
        }

        private static Object records(byte[] bytes) {
            try {
                return RECORDS.invoke(null, ByteBuffer.wrap(bytes));
            } catch (ReflectiveOperationException e) {
                throw new IllegalStateException(e);
            }
        }

        private static final Method RECORDS = recordsMethod();

        /** MemoryRecords.readableRecords; the class moved within Kafka 4. */
        private static Method recordsMethod() {
            for (String name : List.of("org.apache.kafka.common.record.internal.MemoryRecords", "org.apache.kafka.common.record.MemoryRecords")) {
                try {
                    return method(Class.forName(name), "readableRecords", 1);
                } catch (ClassNotFoundException e) {
                    continue;
                }
            }
            throw new IllegalStateException("no MemoryRecords");
        }

        private static final double[] DOUBLES = {1.0, -1.0, 0.5, 123.25, 1e7, 12345678.5, 9999999.0, 0.001, 0.00025, -1e300,
            1024.0, 3.0e-5, Double.MAX_VALUE, Double.POSITIVE_INFINITY, 65536.125};

        /** Small ones, ends of the range, anything. */
        private long number(int bits) {
            long value = switch (random.nextInt(4)) {
                case 0 -> random.nextInt(100);
                case 1 -> -1 - random.nextInt(3);
                case 2 -> (1L << (bits - 1)) - 1 - random.nextInt(2);
                default -> random.nextLong();
            };
            return bits == 64 ? value : value << (64 - bits) >> (64 - bits);
        }

        private static final String[] PIECES = {"a", "topic", "Z9", "-", ".", " ", "\"", "\\", "/", "\n", "\t", "\u0001", "\u001f",
            "\u007f", "\u00e4", "\u20ac", "\u65e5\u672c", "\ud83d\ude00", "\u2028", "<&>"};

        private String text() {
            StringBuilder out = new StringBuilder();
            int pieces = random.nextInt(12) == 0 ? 80 : random.nextInt(5);
            for (int i = 0; i < pieces; i++) out.append(PIECES[random.nextInt(PIECES.length)]);
            return out.toString();
        }

        private byte[] randomBytes(int most) {
            byte[] bytes = new byte[random.nextInt(most + 1)];
            random.nextBytes(bytes);
            return bytes;
        }
    }

    // ---- accept

    static class Acceptor {
        private int differences = 0;

        boolean run(Path in) throws Exception {
            long written = 0, refused = 0;
            try (DataInputStream from = new DataInputStream(new BufferedInputStream(Files.newInputStream(in), 1 << 20))) {
                while (true) {
                    String javaClass;
                    try {
                        javaClass = from.readUTF();
                    } catch (EOFException end) {
                        break;
                    }
                    short version = from.readShort();
                    byte[] original = take(from);
                    short other = from.readShort();
                    boolean ok = from.readBoolean();
                    byte[] result = take(from);
                    if (ok) written++;
                    else refused++;
                    one(javaClass, version, original, other, ok, result);
                }
            }
            System.out.printf("accepted: %d written by Klamm, %d refused by Klamm, %d differences%n", written, refused, differences);
            return differences == 0;
        }

        private static byte[] take(DataInputStream from) throws Exception {
            byte[] bytes = new byte[from.readInt()];
            from.readFully(bytes);
            return bytes;
        }

        private static Message read(String javaClass, short version, byte[] bytes) throws Exception {
            Message message = create(javaClass);
            ByteBufferAccessor accessor = new ByteBufferAccessor(ByteBuffer.wrap(bytes));
            message.read(accessor, version);
            if (accessor.remaining() != 0) throw new IllegalStateException("bytes are left");
            return message;
        }

        /** Kafka reads the same instance, writes it at the other version, and reads what Klamm wrote there. */
        private void one(String javaClass, short version, byte[] original, short other, boolean ok, byte[] ours) throws Exception {
            String where = javaClass + " from version " + version + " to " + other + ": ";
            String text = new String(ours, StandardCharsets.UTF_8);
            try {
                byte[] theirs = bytes(write(read(javaClass, version, original), other));
                if (!ok) differ(where + "Klamm refused: " + text);
                else if (!Arrays.equals(theirs, ours)) differ(where + "other bytes");
                else if (!Arrays.equals(bytes(write(read(javaClass, other, ours), other)), ours)) differ(where + "Kafka writes it back otherwise");
            } catch (UnsupportedVersionException e) {
                // Kafka looks at tagged fields while it computes the size, before it looks at what else is wrong.
                boolean same = text.equals(e.getMessage()) || e.getMessage().startsWith("Tagged fields");
                if (ok || !same) differ(where + "Kafka: " + e.getMessage() + ", Klamm: " + (ok ? "written" : text));
            } catch (NullPointerException e) {
                if (ok || !(text.startsWith("non-nullable") || text.startsWith("Attempted to write"))) differ(where + "Kafka: null, Klamm: " + (ok ? "written" : text));
            }
        }

        private void differ(String what) {
            if (differences++ < 20) System.out.println("DIFFERENT " + what);
        }
    }
}
