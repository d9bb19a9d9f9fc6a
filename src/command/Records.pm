# The records of a file, one at a time and in bounded memory: lines of a log, or rows of a CSV file, which
# may hold line breaks inside quotes (RFC 4180). gzip or not, - is standard input.
#
# A line longer than the server takes is cut behind what it takes, so that it is refused there. A row whose
# quote is never closed would swallow the rest of the file: when it gets too long, or at the end, its first
# line alone is the record, which the server refuses, and the lines after it are rows again.
package Records;
use strict;
use warnings;

my %longest = (log => 65536, csv => 262144);    # bytes; src/track/log.c and csv.c refuse what is longer

sub new {
    my ($class, $file, $fail) = @_;
    my $self = bless { file => $file, held => [], buffer => '', from => 0, line => 0, bytes => 0, longest => $longest{csv} }, $class;
    if ($file eq '-') { $self->{handle} = \*STDIN }
    else {
        open my $plain, '<:raw', $file or $fail->("cannot read $file: $!");
        read $plain, my $magic, 2;
        $self->{size} = -s $file if $magic ne "\x1f\x8b";
        close $plain;
        local $SIG{PIPE} = 'DEFAULT';    # gzip ends silently when we end first
        open $self->{handle}, '-|', 'gzip', '-cdf', '--', $file or $fail->("gzip does not run: $!");
    }
    binmode $self->{handle};
    return $self;
}

sub format { my ($self, $format) = @_; $self->{format} = $format; $self->{longest} = $longest{$format} }

# Why the file could not be read to its end.
sub broken { return $_[0]{broken} }

# How many percent have been read, when that can be told.
sub part {
    my ($self) = @_;
    return $self->{size} ? int(100 * $self->{bytes} / $self->{size}) : undef;
}

# The next line with its end: [text, number], or nothing.
sub line {
    my ($self) = @_;
    return shift @{ $self->{held} } if @{ $self->{held} };
    my $skipping;
    while (1) {
        my $end = index $self->{buffer}, "\n", $self->{from};
        if ($end >= 0) {
            my $text = substr $self->{buffer}, $self->{from}, $end + 1 - $self->{from};
            $self->{from} = $end + 1;
            return [$skipping // $text, ++$self->{line}];
        }
        substr($self->{buffer}, 0, $self->{from}) = '';
        $self->{from} = 0;
        if (length $self->{buffer} > $self->{longest}) {
            $skipping //= substr($self->{buffer}, 0, $self->{longest} + 1) . "\n";
            $self->{buffer} = '';
        }
        next if $self->fill;
        my $rest = $skipping // $self->{buffer};
        $self->{buffer} = '';
        return length $rest ? [$rest, ++$self->{line}] : ();
    }
}

sub fill {
    my ($self) = @_;
    return 0 if !$self->{handle};
    my $read = read $self->{handle}, $self->{buffer}, 65536, length $self->{buffer};
    $self->{bytes} += $read // 0;
    return 1 if $read;
    # Only now does gzip say whether that was all of it.
    my $ok = defined $read && ($self->{file} eq '-' || close $self->{handle});
    $self->{broken} = $self->{file} eq '-' ? 'cannot read standard input to its end' : "gzip cannot read all of $self->{file}" if !$ok;
    delete $self->{handle};
    return 0;
}

# The first line of what is left, which stays there.
sub peek {
    my ($self) = @_;
    my $line = $self->line // return;
    unshift @{ $self->{held} }, $line;
    return $line->[0];
}

# The next record without its line break, the number of its first line, and whether the file ended in it.
sub next {
    my ($self) = @_;
    my $csv = ($self->{format} // '') eq 'csv';
    my $first;
    do { $first = $self->line // return } while $csv && $first->[0] =~ /\A\r?\n?\z/;    # an empty line is no row
    my ($text, $place) = @$first;
    if ($csv) {
        if (inside_quotes($text, 0)) {
            my @more;
            while (1) {
                my $line = $self->line;
                push @more, $line if $line;
                if (!$line || length($text) + length($line->[0]) > $self->{longest}) {
                    unshift @{ $self->{held} }, @more;
                    $text = $first->[0];
                    last;
                }
                $text .= $line->[0];
                last if !inside_quotes($line->[0], 1);
            }
        }
    }
    my $ended = $text =~ s/\r?\n\z//;
    return ($text, $place, !$ended);
}

# Whether a line of a CSV file ends inside quotes, when it begins inside or outside of them. A quote that
# does not begin a field is a character like others: src/track/csv.c reads rows the same way.
sub inside_quotes {
    my ($line, $inside) = @_;
    return $inside if index($line, '"') < 0;
    while (1) {
        if ($inside) {
            $line =~ /\G[^"]*+/gc;
            next if $line =~ /\G""/gc;
            return 1 if $line !~ /\G"/gc;
            $inside = 0;
        }
        elsif ($line =~ /\G"/gc) {
            $inside = 1;
            next;
        }
        $line =~ /\G[^,]*+/gc;
        return 0 if $line !~ /\G,/gc;
    }
}

1;
