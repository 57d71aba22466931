# Among the jobs of the whole project the database takes longest, followed by the report. So what these need comes
# before the pages, for which nothing waits.


rule merge_histograms:
    """Add up the histograms of all bins."""
    input:
        all_bins("bin_histograms"),
    output:
        expand("{project}/histograms_{name}.nc", name=HISTOGRAMS, allow_missing=True),
    log:
        "{project}/logs/merge_histograms.log",
    priority: 2
    conda:
        "../../environment.yml"
    resources:
        **PROJECT_JOB,
    params:
        stage=stage("merge_histograms"),
    message:
        of_all_bins("{wildcards.project}/histograms_*.nc")
    shell:
        'python -IS "$VO_SCRIPTS/_run.py" merge_histograms {wildcards.project} --params {params.stage:q} --log {log}'


rule merge_tables:
    """Merge the tables of all bins."""
    input:
        all_bins("analysis"),
    output:
        detections="{project}/detections.csv",
        events="{project}/events.csv",
        properties="{project}/properties.csv",
    log:
        "{project}/logs/merge_tables.log",
    priority: 1
    conda:
        "../../environment.yml"
    resources:
        **PROJECT_JOB,
    params:
        stage=stage("merge_tables"),
    message:
        of_all_bins("{output}")
    shell:
        'python -IS "$VO_SCRIPTS/_run.py" merge_tables {wildcards.project} {output.detections} {output.events}'
        " {output.properties} --params {params.stage:q} --log {log}"


rule rates:
    """Turn detections, coverage and efficiency into rates of events."""
    input:
        all_bins("analysis"),
    output:
        rates="{project}/rates.csv",
    log:
        "{project}/logs/rates.log",
    priority: 1
    conda:
        "../../environment.yml"
    resources:
        **PROJECT_JOB,
    params:
        stage=stage("rates"),
    message:
        of_all_bins("{output}")
    shell:
        'python -IS "$VO_SCRIPTS/_run.py" rates {wildcards.project} {output.rates}'
        " --params {params.stage:q} --log {log}"
