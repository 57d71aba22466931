# The jobs of the workflow with its files, commands and number of params, all constant, for benchmarks/planning.py.

import gc

SURVEYS = ["DEMO", "DEMO_B", "DEMO_C"]
BINS = [f"RA{number:03d}" for number in range(360)]
MANIFEST = "{project}/manifests/{obs}_photometry_{bin}.jsonl"
REDUCED = "{project}/{obs}_photometry_{bin}_reduced.h5"
ANALYSIS = "{project}/{bin}_analysis.h5"
HISTOGRAMS = "{project}/{bin}_histograms.nc"
MANIFESTS = expand(MANIFEST, obs=SURVEYS, bin=BINS, allow_missing=True)
ALL_REDUCED = expand(REDUCED, obs=SURVEYS, bin=BINS, allow_missing=True)
ANALYSES = expand(ANALYSIS, bin=BINS, allow_missing=True)
ALL_HISTOGRAMS = expand(HISTOGRAMS, bin=BINS, allow_missing=True)
MERGED = [f"{{project}}/histograms_{number}.nc" for number in range(7)]
TABLES = [f"{{project}}/{name}.csv" for name in ("detections", "events", "properties")]
RATES = "{project}/rates.csv"
PAGE = ["{project}/report.html", "{project}/report_tables.js", "{project}/config.yaml"]
PAGE += [f"{{project}}/plots/{number}.png" for number in range(11)]
VETTING = "{project}/pages/index.html"
RECEIPT = "{project}/database.json"
OF_BINS = [*MANIFESTS, *ALL_REDUCED, *ANALYSES]


if config["freeze"]:
    gc.freeze()


workdir: config["data_root"]


wildcard_constraints:
    project="PLANNING",
    obs="|".join(SURVEYS),
    bin=r"RA\d{3}",


rule all:
    input:
        expand(
            [
                *OF_BINS,
                *ALL_HISTOGRAMS,
                *MERGED,
                *TABLES,
                RATES,
                *PAGE,
                VETTING,
                RECEIPT,
            ],
            project="PLANNING",
        ),
    message:
        "all"


rule download:
    output:
        manifest=MANIFEST,
    log:
        "{project}/logs/download/{obs}_{bin}.log",
    resources:
        mem_mb=1000,
    params:
        raw="{obs}/{obs}_photometry_{bin}.h5",
        stage="a text",
    shell:
        'python -IS "$VO_SCRIPTS/_run.py" download "$VO_CATALOG" {params.raw} {output.manifest}'
        ' --params {params.stage:q} --options "$VO_OPTIONS" --log {log}'


rule reduce:
    input:
        manifest=MANIFEST,
    output:
        reduced=REDUCED,
    log:
        "{project}/logs/reduce/{obs}_{bin}.log",
    resources:
        mem_mb=500,
        runtime=1,
    params:
        raw="{obs}/{obs}_photometry_{bin}.h5",
        stage="a text",
    shell:
        'python -IS "$VO_SCRIPTS/_run.py" reduce {params.raw} {input.manifest} {output.reduced}'
        " --params {params.stage:q} --log {log}"


rule analyze:
    input:
        manifests=expand(MANIFEST, obs=SURVEYS, allow_missing=True),
        reduced=expand(REDUCED, obs=SURVEYS, allow_missing=True),
    output:
        analysis=ANALYSIS,
        histograms=HISTOGRAMS,
    log:
        "{project}/logs/analyze/{bin}.log",
    resources:
        mem_mb=500,
        runtime=1,
    params:
        stage="a text",
    shell:
        'python -IS "$VO_SCRIPTS/_run.py" analyze {wildcards.project} {output}'
        " --params {params.stage:q} --log {log}"


rule merge_histograms:
    input:
        ALL_HISTOGRAMS,
    output:
        MERGED,
    log:
        "{project}/logs/merge_histograms.log",
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        stage="a text",
    message:
        "{rule} of all bins ({resources.mem_mb} MB, {resources.runtime} min)"
    shell:
        'python -IS "$VO_SCRIPTS/_run.py" merge_histograms {wildcards.project} --params {params.stage:q} --log {log}'


rule merge_tables:
    input:
        ANALYSES,
    output:
        TABLES,
    log:
        "{project}/logs/merge_tables.log",
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        stage="a text",
    message:
        "{rule} of all bins ({resources.mem_mb} MB, {resources.runtime} min)"
    shell:
        'python -IS "$VO_SCRIPTS/_run.py" merge_tables {wildcards.project} --params {params.stage:q} --log {log}'


rule rates:
    input:
        ANALYSES,
    output:
        RATES,
    log:
        "{project}/logs/rates.log",
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        stage="a text",
    message:
        "{rule} of all bins ({resources.mem_mb} MB, {resources.runtime} min)"
    shell:
        'python -IS "$VO_SCRIPTS/_run.py" rates {wildcards.project} --params {params.stage:q} --log {log}'


rule report:
    input:
        [*OF_BINS, *MERGED, TABLES[0], TABLES[2], RATES],
    output:
        PAGE,
    log:
        "{project}/logs/report.log",
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        stage="a text",
    message:
        "{rule} of all bins ({resources.mem_mb} MB, {resources.runtime} min)"
    shell:
        'python -IS "$VO_SCRIPTS/_run.py" report {wildcards.project} --params {params.stage:q} --log {log}'


rule pages:
    input:
        OF_BINS,
    output:
        VETTING,
    log:
        "{project}/logs/pages.log",
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        stage="a text",
    message:
        "{rule} of all bins ({resources.mem_mb} MB, {resources.runtime} min)"
    shell:
        'python -IS "$VO_SCRIPTS/_run.py" pages {wildcards.project} --params {params.stage:q} --log {log}'


rule sync_database:
    input:
        [*OF_BINS, *MERGED],
    output:
        RECEIPT,
    log:
        "{project}/logs/sync_database.log",
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        stage="a text",
    message:
        "{rule} of all bins ({resources.mem_mb} MB, {resources.runtime} min)"
    shell:
        'python -IS "$VO_SCRIPTS/_run.py" sync_database {wildcards.project} --params {params.stage:q} --log {log}'
