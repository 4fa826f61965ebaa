package wfexslike

import java.nio.file.Path
import nextflow.util.Duration
import nextflow.util.MemoryUnit
import org.codehaus.groovy.control.MultipleCompilationErrorsException

/** Values and errors of the engine as plain ones that JSON has. */
class Plain {
    /** Maps, lists, texts, numbers and truth values; durations in milliseconds, amounts of memory in bytes. */
    static Object value(Object value, int depth = 0) {
        if (value == null || value instanceof Boolean) {
            return value
        }
        if (depth > 16) {
            return value.toString()
        }
        if (value instanceof Map) {
            return value.findAll { key, one -> !(one instanceof Closure) }
                .collectEntries { key, one -> [key.toString(), Plain.value(one, depth + 1)] }
        }
        if (value instanceof Duration) {
            return value.toMillis()
        }
        if (value instanceof MemoryUnit) {
            return value.toBytes()
        }
        if (value instanceof Number) {
            return value instanceof Double && (value.isNaN() || value.isInfinite()) ? value.toString() : value
        }
        if (value instanceof Path || value instanceof File || value instanceof CharSequence) {
            return value.toString()
        }
        if (value instanceof Collection || value.class.isArray()) {
            return value.collect { Plain.value(it, depth + 1) }
        }
        return value.toString()
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
