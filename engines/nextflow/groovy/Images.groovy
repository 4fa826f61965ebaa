package wfexslike

import nextflow.Session
import nextflow.container.ContainerHandler
import nextflow.script.ProcessDef
import nextflow.script.ScriptMeta
import nextflow.script.WorkflowDef

/**
 * The images that a workflow's processes will run in, by the names that the engine will say when it starts them.
 *
 * A selector in the configuration may mean a process by the name under which a workflow includes it, and a retried task
 * may choose another image: so one process may have several.
 */
class Images {
    private static final List OTHERS = ['podman', 'singularity', 'apptainer', 'charliecloud', 'shifter', 'sarus']
    private static final int MOST_ATTEMPTS = 10
    private static final int MOST_NAMES = 5000
    private static final int DEEPEST = 12

    private final Session session
    private final Map<String, Set<String>> names = [:].withDefault { new LinkedHashSet<String>() }

    Images(Session session, ScriptMeta entry) {
        this.session = session
        if (entry != null && isSelective()) {
            walk(entry, '', [])
        }
    }

    /** Configuration as a run in containers has it. */
    static void enable(ConfigObject config) {
        OTHERS.each { one ->
            if (config.containsKey(one)) {
                config[one].enabled = false
            }
        }
        config.docker.enabled = true
    }

    /** What is told of one process: the images it may run in, the first one first; and why not all are known. */
    Map of(ProcessDef definition) {
        Set<String> found = new LinkedHashSet<String>()
        String unknown = null
        (names[key(definition)] ?: [definition.simpleName]).each { name ->
            ProcessDef named = (ProcessDef) definition.cloneWithName(name)
            // It was read by its simple name before, and is read once only.
            named.@processConfig = null
            named.initialize()
            attempts(named).each { attempt ->
                try {
                    String image = image(named, attempt)
                    if (image) {
                        found << image
                    }
                }
                catch (Throwable error) {
                    unknown = unknown ?: Plain.words(error)
                }
            }
        }
        return [container: found ? found[0] : null, containers: found as List, unknown: unknown]
    }

    private String image(ProcessDef definition, int attempt) {
        def task = definition.processConfig.createTaskConfig()
        task.put('attempt', attempt)
        List missing = []
        task.context = [task: task, *: definition.owner.binding.variables].withDefault { name ->
            // A task's inputs: the engine would take null for them, and say another image's name.
            missing << name
            throw new MissingPropertyException((String) name, definition.owner.class)
        }
        String said = task.get('container')?.toString()
        if (missing) {
            throw new IllegalStateException("it depends on ${missing.unique().join(', ')} of each task")
        }
        return said ? new ContainerHandler(session.getContainerConfig()).normalizeImageName(said) : null
    }

    /** The attempts that there may be, where the image can depend on them. */
    private static List<Integer> attempts(ProcessDef definition) {
        def config = definition.processConfig
        def image = config.get('container')
        def strategy = config.get('errorStrategy')
        boolean isRetried = strategy instanceof Closure || strategy?.toString()?.equalsIgnoreCase('retry')
        if (!isRetried || !(image instanceof Closure || image instanceof GString)) {
            return [1]
        }
        def most = config.get('maxRetries')
        int retries = most instanceof Integer ? (int) most : 1
        return (1..Math.min(retries + 1, MOST_ATTEMPTS)).toList()
    }

    private boolean isSelective() {
        def process = session.config.process
        return process instanceof Map && process.any { key, value ->
            key.toString().startsWith('withName:') && value instanceof Map && value.containsKey('container')
        }
    }

    /** Every name that a process may have at a run: those of the workflows that it is called in, and its alias. */
    private void walk(ScriptMeta script, String scope, List<String> within) {
        if (within.size() > DEEPEST || names.values().sum(0) { it.size() } > MOST_NAMES) {
            return
        }
        script.allNames.each { name ->
            def component = script.getComponent(name)
            if (component instanceof ProcessDef) {
                names[key(component)] << scope + name
            }
            else if (component instanceof WorkflowDef && component.name) {
                ScriptMeta inner = ScriptMeta.get(component.owner)
                String id = "${inner?.scriptPath}:${component.name}"
                if (inner != null && !(id in within)) {
                    walk(inner, "${scope}${name}:", within + id)
                }
            }
        }
    }

    private static String key(ProcessDef definition) {
        return "${ScriptMeta.get(definition.owner)?.scriptPath}:${definition.baseName}"
    }
}
