package wfexslike

import ch.qos.logback.classic.Level
import groovy.json.JsonOutput
import groovy.json.JsonSlurper
import java.nio.file.Files
import java.nio.file.Path
import java.nio.file.Paths
import java.util.jar.Manifest
import nextflow.NextflowMeta
import nextflow.Session
import nextflow.cli.CliOptions
import nextflow.cli.CmdRun
import nextflow.config.ConfigBuilder
import nextflow.config.ConfigMap
import nextflow.plugin.Plugins
import nextflow.script.ProcessDef
import nextflow.script.ScriptFile
import nextflow.script.ScriptMeta
import nextflow.script.ScriptParser
import nextflow.script.WorkflowDef
import org.slf4j.LoggerFactory

/**
 * Reads a workflow without running it, by the engine's own parsers of configuration and scripts.
 *
 * The request is JSON on standard input: `script` and `base` (absolute paths), `profiles` (text or null), `params` (a
 * map), `answer` (the file that gets the answer, JSON), `containers` (whether tasks will run in them), `plugins` (the
 * folder with the workflow's plugins unpacked, which NXF_PLUGINS_DIR names too, or null: then a workflow that declares
 * some is read no further). Scripts are loaded as modules: processes and workflows get defined, and the entry workflow
 * does not begin. What can't be read is told as `fault`. A script that is sound and
 * stops itself for want of something (`error`, `System.exit`) is told as far as it came, with the reason as `unread`.
 */
class Probe {
    static void main(String[] args) {
        LoggerFactory.getLogger('ROOT').level = Level.OFF
        Map request = (Map) new JsonSlurper().parse(System.in)
        Path place = Paths.get((String) request.answer)
        Probe probe = new Probe(request)
        Runtime.runtime.addShutdownHook(new Thread({
            answer(place, probe.soFar + [unread: 'it ends the engine when it is loaded'])
        }))
        Map told
        try {
            told = probe.read()
        }
        catch (Throwable error) {
            told = [fault: Plain.words(error), place: probe.place(error)]
        }
        answer(place, told)
        Runtime.runtime.halt(0)
    }

    private static void answer(Path place, Map told) {
        Files.write(place, JsonOutput.toJson(told).getBytes('UTF-8'))
    }

    final Path base
    final Path script
    final Map request
    Map soFar = [:]
    List configFiles = []

    Probe(Map request) {
        this.request = request
        this.base = Paths.get((String) request.base)
        this.script = Paths.get((String) request.script)
    }

    Map read() {
        ConfigObject config = readConfig((Map) request.params)
        // Its own defaults are those without the parameters that were asked for.
        ConfigObject own = request.params ? readConfig([:]) : config
        // Asking a ConfigObject for what it doesn't have would put it there.
        Map answer = [
            params: Plain.value(own.containsKey('params') ? own.params : [:]),
            manifest: Plain.value(config.containsKey('manifest') ? config.manifest : [:]),
            plugins: config.containsKey('plugins') ? plugins(config) : [],
            configs: configFiles,
        ]
        soFar = answer
        return answer.plugins && !request.plugins ? answer : answer + readScripts(config)
    }

    private ConfigObject readConfig(Map params) {
        CmdRun command = new CmdRun(profile: (String) request.profiles)
        if (params) {
            Path file = Files.createTempFile('params', '.json')
            Files.write(file, JsonOutput.toJson(params).getBytes('UTF-8'))
            command.paramsFile = file.toString()
        }
        ConfigBuilder builder = new ConfigBuilder()
            .setOptions(new CliOptions())
            .setBaseDir(base)
            .setCurrentDir(Paths.get('.').toAbsolutePath().normalize())
            .setCmdRun(command)
        ConfigObject config = builder.buildConfigObject()
        configFiles = (builder.parsedConfigFiles ?: []).collect { it.toString() }
        return config
    }

    /** The configuration's `plugins` scope: a list of texts such as `nf-schema@2.1.1`. */
    private static List plugins(ConfigObject config) {
        def declared = config.plugins
        return declared instanceof Collection ? declared.collect { it.toString() } : []
    }

    /** Starts every plugin that lies in `folder`, the one that the engine looks in; no configuration adds to them. */
    private static void start(String folder) {
        List found = new File(folder).listFiles().sort().collect { one ->
            File manifest = new File(one, 'classes/META-INF/MANIFEST.MF')
            if (!manifest.isFile()) {
                throw new IllegalStateException("${one.name} is no plugin of Nextflow")
            }
            def said = manifest.withInputStream { new Manifest(it) }.mainAttributes
            [name: said.getValue('Plugin-Id'), version: said.getValue('Plugin-Version')]
        }
        Plugins.init()
        found.each { plugin ->
            try {
                Plugins.start("${plugin.name}@${plugin.version}".toString())
            }
            catch (Throwable error) {
                throw new IllegalStateException("the plugin ${plugin.name}@${plugin.version} does not start", error)
            }
            if (!Plugins.isStarted(plugin.name)) {
                throw new IllegalStateException("the plugin ${plugin.name}@${plugin.version} does not start")
            }
        }
    }

    private Map readScripts(ConfigObject config) {
        config.remove('plugins')
        if (request.containers) {
            Images.enable(config)
        }
        if (request.plugins) {
            try {
                start((String) request.plugins)
            }
            catch (Throwable error) {
                return [fault: Plain.words(error)]
            }
        }
        // A ConfigMap is what the launcher asks by; a copy, since asking changes it.
        String dsl = CmdRun.detectDslMode(new ConfigMap(config.toMap()), script.text, System.getenv())
        try {
            NextflowMeta.instance.enableDsl(dsl)
        }
        catch (Throwable error) {
            return [fault: Plain.words(error)]
        }
        if (!NextflowMeta.instance.dsl2) {
            // Its processes begin as soon as they are defined, so they can't be looked at beforehand.
            return [dsl: dsl, scripts: [script.toString()]]
        }
        Session session = new Session(config)
        session.init(new ScriptFile(script.toFile()))
        ScriptParser parser = new ScriptParser(session).setModule(true).setBinding(session.binding)
        String unread = null
        Map stopped = null
        try {
            parser.runScript(script)
        }
        catch (Throwable error) {
            if (isFault(error)) {
                return [fault: Plain.words(error), place: place(error)]
            }
            unread = Plain.words(error)
            stopped = place(error)
        }
        Map<String, ScriptMeta> metas = [:]
        ScriptMeta.REGISTRY.each { one, meta -> metas[meta.scriptPath.toString()] = meta }
        List processes = []
        List workflows = []
        Map aliases = [:]
        Images images = request.containers ? new Images(session, metas[script.toString()]) : null
        metas.each { path, meta ->
            aliases = merged(aliases, meta)
            meta.definitions.each { definition ->
                if (definition instanceof ProcessDef) {
                    Map told = process(definition, path)
                    processes << (images && !told.unread ? told + images.of(definition) : told)
                }
                else if (definition instanceof WorkflowDef) {
                    workflows << [name: definition.name, script: path]
                }
            }
        }
        return [
            dsl: dsl,
            unread: unread,
            place: stopped,
            processes: processes,
            workflows: workflows,
            aliases: aliases,
            scripts: metas.keySet() as List,
            defaults: Plain.value(session.binding.getVariable('params') ?: [:]),
        ]
    }

    /** The names under which a script includes processes that are called otherwise, by their own names. */
    private static Map merged(Map aliases, ScriptMeta meta) {
        try {
            meta.@imports.each { name, component ->
                if (component instanceof ProcessDef && component.baseName && component.baseName != name) {
                    aliases[component.baseName] = ((aliases[component.baseName] ?: []) + [name.toString()]).unique()
                }
            }
        }
        catch (Throwable ignored) {
            // A version of the engine keeps them elsewhere; then an included process is only known by its name there.
        }
        return aliases
    }

    /** The file and the line of the workflow in which an error came up; null where the trace doesn't tell. */
    private Map place(Throwable error) {
        Map<String, Path> sources = [:]
        ScriptMeta.REGISTRY.each { one, meta -> sources[one.class.name] = meta.scriptPath }
        Set seen = Collections.newSetFromMap(new IdentityHashMap())
        Map found = null
        for (Throwable one = error; one != null && seen.add(one); one = one.cause) {
            for (StackTraceElement frame : one.stackTrace) {
                // A closure's class is called after the script's.
                Path source = sources[frame.className.tokenize('$')[0]]
                if (source == null && frame.className.startsWith('_nf_config_')) {
                    source = base.resolve('nextflow.config')
                }
                if (source != null && frame.lineNumber > 0) {
                    found = [file: source.toAbsolutePath().normalize().toString(), line: frame.lineNumber]
                    break
                }
                if (frame.className ==~ /Script[0-9A-F]{32}.*/) {
                    // An included configuration, and which one is not told.
                    found = null
                    break
                }
            }
        }
        return found
    }

    /** Whether the script itself is wrong (it can't be compiled, or includes what is not there) or only stopped. */
    private static boolean isFault(Throwable error) {
        Set seen = Collections.newSetFromMap(new IdentityHashMap())
        for (Throwable one = error; one != null && seen.add(one); one = one.cause) {
            String type = one.class.name
            if (type.startsWith('org.codehaus.groovy.control.') || type ==~ /nextflow\.exception\..*(Script|Module|Illegal|Duplicate|Missing|Plugin).*/
                || one.message?.contains('module file')) {
                return true
            }
        }
        return false
    }

    private static Map process(ProcessDef definition, String path) {
        Map told = [name: definition.simpleName, script: path]
        try {
            definition.initialize()
        }
        catch (Throwable error) {
            return told + [unread: Plain.words(error)]
        }
        def config = definition.processConfig
        told.inputs = config.inputs.collect { slot(it) }
        told.outputs = config.outputs.collect { slot(it) }
        ['container', 'cpus', 'memory', 'time', 'disk', 'maxRetries', 'errorStrategy', 'executor', 'conda', 'module',
         'secret', 'accelerator', 'containerOptions'].each { directive ->
            def value = config.get(directive)
            // A text with variables in it is only one when there is a task.
            if (value instanceof Closure || value instanceof GString) {
                told.computed = (told.computed ?: []) + [directive]
            }
            else if (value != null && value != [] && value != false) {
                told[directive] = Plain.value(value)
            }
        }
        ['container', 'conda'].findAll { it in told.computed }.each { told[it] = computed(definition, it) }
        return told
    }

    /** A directive that is computed for each task, as it is for a task of which nothing is known yet. */
    private static String computed(ProcessDef definition, String directive) {
        try {
            def task = definition.processConfig.createTaskConfig()
            task.context = [task: task, *: definition.owner.binding.variables]
            return task.get(directive)?.toString()
        }
        catch (Throwable ignored) {
            // It depends on the task's inputs.
            return null
        }
    }

    /** A declared input or output: its name or emit name, and its kind (`path`, `val`, `tuple`, ...). */
    private static Map slot(param) {
        Map told = [kind: param.class.simpleName.replaceAll(/(In|Out)Param$/, '').toLowerCase()]
        ['name', 'channelEmitName', 'optional', 'filePattern'].each { key ->
            try {
                def value = param."$key"
                if (value != null && !(value instanceof Closure)) {
                    told[key] = value instanceof Boolean ? value : value.toString()
                }
            }
            catch (Throwable ignored) {
                // Another kind, or another version of the engine, has no such thing.
            }
        }
        if (param.hasProperty('inner')) {
            told.inner = param.inner.collect { slot(it) }
        }
        return told
    }
}
