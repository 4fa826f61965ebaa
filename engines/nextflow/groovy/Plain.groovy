package wfexslike

import java.nio.file.Path
import nextflow.util.Duration
import nextflow.util.MemoryUnit

/**
 * Values and errors of the engine as plain ones that JSON has, whatever a workflow makes of them.
 *
 * A collection may have no end, a number more digits than anybody reads, and a value's own words may be an error.
 */
class Plain {
    private static final int MOST_VALUES = 10_000
    private static final int MOST_PATHS = 1_000_000
    private static final int DEEPEST = 16
    private static final int MOST_DIGITS = 300
    private static final int MOST_LETTERS = 1 << 20
    private static final String CUT = '...'

    private final boolean telling
    private int values = MOST_VALUES
    private int paths = MOST_PATHS

    private Plain(boolean telling) {
        this.telling = telling
    }

    /** Maps, lists, texts, numbers and truth values; durations in milliseconds, amounts of memory in bytes. */
    static Object value(Object value) {
        return new Plain(false).plain(value, 0)
    }

    /** The same, but paths as maps, so that they can be told from texts. */
    static Object output(Object value) {
        return new Plain(true).plain(value, 0)
    }

    private Object plain(Object value, int depth) {
        if (value == null || value instanceof Boolean) {
            return value
        }
        if (value instanceof Duration) {
            return value.toMillis()
        }
        if (value instanceof MemoryUnit) {
            return value.toBytes()
        }
        if (value instanceof Number) {
            return number((Number) value)
        }
        if (value instanceof Path && telling) {
            return [path: value.toString()]
        }
        if (value instanceof CharSequence || value instanceof Path || value instanceof File || depth > DEEPEST) {
            return text(value)
        }
        if (value instanceof Map) {
            Map told = [:]
            walk(((Map) value).entrySet(), { told[CUT] = CUT }) { one ->
                if (!(one.value instanceof Closure)) {
                    told[text(one.key)] = plain(one.value, depth + 1)
                }
            }
            return told
        }
        if (value instanceof Collection || value.class.isArray()) {
            List told = []
            walk(value instanceof Collection ? (Collection) value : value.toList(), { told << CUT }) { one ->
                told << plain(one, depth + 1)
            }
            return told
        }
        return text(value)
    }

    private void walk(Collection all, Closure cut, Closure told) {
        for (Object one : all) {
            boolean isPath = telling && one instanceof Path
            if ((isPath ? paths-- : values--) <= 0) {
                cut()
                return
            }
            told(one)
        }
    }

    private static Object number(Number value) {
        String words = text(value)
        boolean isKnown = value instanceof Integer || value instanceof Long || value instanceof Short ||
            value instanceof Byte || value instanceof Double || value instanceof Float ||
            value instanceof BigInteger || value instanceof BigDecimal
        boolean isFinite = isKnown && !Double.isNaN(value.doubleValue()) && !Double.isInfinite(value.doubleValue())
        return isFinite && words.length() <= MOST_DIGITS ? value : words
    }

    private static String text(Object value) {
        String words
        try {
            words = String.valueOf(value)
        }
        catch (Throwable error) {
            words = "(a ${value.class.name} that can't be told)"
        }
        return words.length() > MOST_LETTERS ? words.substring(0, MOST_LETTERS) + CUT : words
    }

    /** What an error says, with what it says of its cause. */
    static String words(Throwable error) {
        List said = []
        Set seen = Collections.newSetFromMap(new IdentityHashMap())
        for (Throwable one = error; one != null && seen.add(one); one = one.cause) {
            String text = one.message ?: one.class.simpleName
            if (!said.any { it.contains(text) }) {
                said << text
            }
        }
        return said.join('\n')
    }
}
